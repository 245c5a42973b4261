"""Learns phrase maps (`phrase_maps`) from the photos and texts of records.

`model_dir` holds `settings.json` (what decides the result), `cells/` (the edges of the photos, 3 KB
each) and `phrase_maps.safetensors`.
"""

import dataclasses
import pathlib

from data_prep.alignment.feature_maps import KeptMaps, keep_maps
from data_prep.alignment.gradient_cells import CELLS, GradientCells
from data_prep.alignment.mapped_records import identity_of
from data_prep.alignment.phrase_maps import (
    WEIGHTS_NAME,
    PhraseMaps,
    PhraseSettings,
    fit,
    load_maps,
    save_maps,
)
from data_prep.alignment.phrases import options_of, phrases_of
from data_prep.alignment.record_alignments import check_layout
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import claim_settings
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.record import Record
from kaleido_tf.records.shards import read_photos
from kaleido_tf.text import Vocabulary


def train_phrase_maps(
    records_folder: str, model_dir: str, settings: PhraseSettings, catalogue: str = ""
) -> PhraseMaps:
    """Learns from one folder of records; what is there already is read.

    Args: catalogue: where the photos are now, if not where the records say.
    Raises: InputError for records of another layout, photos that cannot be had, and if `model_dir`
      holds maps of other settings or records.
    """
    folder, dataset = pathlib.Path(model_dir), read_dataset_json(records_folder)
    check_layout(dataset, records_folder)
    photos = RecordPhotos(dataset, records_folder, catalogue)
    claim_settings(
        folder,
        {**dataclasses.asdict(settings), "method": "phrases", "train": identity_of(dataset)},
        "maps of other settings or records",
        "--model_dir",
    )
    path = folder / WEIGHTS_NAME
    if path.is_file():
        return load_maps(path)
    shards = find_files(records_folder)
    records = read_photos(shards)
    cells = keep_maps(shards, GradientCells(photos), folder / "cells", "train")
    if len(cells) != len(records):
        raise InputError(
            f"{folder / 'cells'} holds cells of {len(cells)} photos, {records_folder}"
            f" {len(records)} records: delete that folder to make them again"
        )
    vocabulary = Vocabulary(pathlib.Path(records_folder) / "vocab.txt")
    maps = {
        (kind, thing): found
        for kind, numbers in sorted(_by_kind(records, dataset["subcategories"]).items())
        for thing, found in _fit_kind(records, cells, numbers, vocabulary, settings).items()
    }
    return save_maps(path, maps, dataset["foreground"], CELLS)


def _by_kind(records: list[Record], names: list[str]) -> dict[str, list[int]]:
    """Numbers of the records of each sub-category."""
    kinds: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        kinds.setdefault(names[record.subcategory_id], []).append(number)
    return kinds


def _fit_kind(
    records: list[Record],
    cells: KeptMaps,
    numbers: list[int],
    vocabulary: Vocabulary,
    settings: PhraseSettings,
):
    options = [options_of(phrases_of(records[n].token_ids, vocabulary)) for n in numbers]
    return fit(lambda batch: cells[[numbers[n] for n in batch]], options, settings)
