"""Texts and convolutional maps of the photos of records, for what learns words from pictures."""

import dataclasses
import pathlib

from data_prep.alignment.feature_maps import CropMaps, KeptMaps, keep_maps
from data_prep.features.backbones import Backbone, check_backbone
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.dataset_json import layout_of, read_dataset_json
from kaleido_tf.records.record import KALEIDO
from kaleido_tf.records.shards import read_photos

_DECISIVE = (
    "products_digest",
    "catalogue_digest",
    "vocabulary_digest",
    "foreground",
    "foreground_digest",
    "foreground_masks",
    "crop_size",
    "shards",
)
"""What `dataset.json` says of photos, crops, texts and their order."""


def identity_of(dataset: dict) -> dict:
    """What decides texts and photos of records, of their `dataset.json`."""
    known = {name: dataset.get(name) for name in _DECISIVE}
    # Only where it is said: runs on records of an older version stay what they are.
    return known | {name: dataset[name] for name in ("content_digest",) if name in dataset}


@dataclasses.dataclass(frozen=True)
class MappedRecords:
    """The photos of a split: `texts` (vocabulary ids), `maps` in the same order."""

    texts: list[list[int]]
    maps: KeptMaps


class RecordMaps:
    """The records of a folder, checked, whose maps are still to be made or read.

    Args: backbone: the one of the records. cells: a side of a map. catalogue: where the photos are
      now, if not where the records say.
    Raises: InputError for records of another layout or backbone, or photos that cannot be had.
    """

    def __init__(self, folder: str, backbone: Backbone, cells: int, catalogue: str = ""):
        self.folder, self.dataset = folder, read_dataset_json(folder)
        if layout_of(self.dataset, folder) != KALEIDO:
            raise InputError(
                f"Captions are of the crops of kaleido records. {folder} holds records of layout"
                f" {self.dataset['layout']}"
            )
        check_backbone(backbone, self.dataset, folder)
        self._crops = CropMaps(RecordPhotos(self.dataset, folder, catalogue), backbone, cells)

    @property
    def identity(self) -> dict:
        """What decides texts and maps, of `dataset.json`."""
        return identity_of(self.dataset)

    def read(self, maps_folder: pathlib.Path, name: str) -> MappedRecords:
        """Texts and maps of the photos; maps are made where they do not lie in `maps_folder` yet.
        Args: name: of the records, for the progress lines.
        """
        shards = find_files(self.folder)
        records = read_photos(shards)
        maps = keep_maps(shards, self._crops, maps_folder, name)
        if len(maps) != len(records):
            raise InputError(
                f"{maps_folder} holds maps of {len(maps)} photos, {self.folder} {len(records)}"
                " records: delete that folder to make them again"
            )
        return MappedRecords([record.token_ids for record in records], maps)
