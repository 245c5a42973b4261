"""Records to words with heat maps by a captioner (Kaleido-BERT, section 3.3): their photos, its captions, a region a word."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from data_prep.alignments import Region
from data_prep.backbones import Backbone
from data_prep.captioner_training import check_backbone
from data_prep.captions import Caption, Speaker, regions_of_caption
from data_prep.feature_maps import CropMaps
from data_prep.record_alignments import check_layout
from data_prep.record_photos import RecordPhotos
from data_prep.show_attend_tell import TrainedCaptioner
from kaleido_tf import records
from kaleido_tf.errors import InputError
from kaleido_tf.text import Vocabulary

WORDS = ("own", "generated")
"""`own`: the product's text is read along ("teacher forcing"); `generated`: the captioner's own words, as in the paper."""
_BATCH = 32


@dataclasses.dataclass(frozen=True)
class CaptionSettings:
    """`words`: one of `WORDS`. `beam`: captions kept while words are generated; 1 is greedy."""

    words: str = "own"
    beam: int = 3

    def __post_init__(self):
        if self.words not in WORDS or self.beam < 1:
            raise InputError(f"`words` must be one of {', '.join(WORDS)} and `beam` at least 1. Received: {self}")


class CaptionRegions:
    """Finds the regions of records: `regions(folder, records of it)`.

    Args: backbone: the one the captioner and the records were made with. catalogue: where the photos are now, if not where the records say.
    """

    def __init__(self, captioner: TrainedCaptioner, backbone: Backbone, settings: CaptionSettings, catalogue: str = ""):
        self._captioner, self._backbone, self._settings, self._catalogue = captioner, backbone, settings, catalogue
        self._speaker = Speaker(captioner, settings.beam)
        self._folders: dict[str, tuple[CropMaps, Vocabulary]] = {}

    def check(self, folder: str) -> None:
        """Raises: InputError for records of another layout, vocabulary or backbone, or whose catalogue is not there."""
        dataset = records.read_dataset_json(folder)
        check_layout(dataset, folder)
        check_captioner(self._captioner, dataset, folder)
        check_backbone(self._backbone.name, self._backbone.digest, dataset, folder)
        photos = RecordPhotos(dataset, folder, self._catalogue)
        self._folders[folder] = CropMaps(photos, self._backbone, self._captioner.settings.cells), Vocabulary(f"{folder}/vocab.txt")

    def captions(self, folder: str, examples: Sequence[tf.train.Example]) -> list[Caption]:
        """What the captioner says (or reads) of each record."""
        if folder not in self._folders:
            self.check(folder)
        maps, _ = self._folders[folder]
        found = []
        for start in range(0, len(examples), _BATCH):
            batch = examples[start : start + _BATCH]
            seen = maps.of(batch)
            if self._settings.words == "own":
                found += self._speaker.read(seen, [list(example.features.feature["token_ids"].int64_list.value) for example in batch])
            else:
                found += self._speaker.describe(seen)
        return found

    def __call__(self, folder: str, examples: Sequence[tf.train.Example]) -> list[list[Region]]:
        captions = self.captions(folder, examples)
        return [regions_of_caption(caption, self._folders[folder][1]) for caption in captions]


def check_captioner(captioner: TrainedCaptioner, dataset: dict, folder: str) -> None:
    """Raises: InputError for a captioner that was trained with another vocabulary or backbone than the records."""
    settings = captioner.settings
    if settings.vocabulary_digest != dataset["vocabulary_digest"]:
        raise InputError(f"The captioner speaks the word pieces of vocabulary {settings.vocabulary_digest[:12]} (sha256). The texts of {folder} are of "
                         f"vocabulary {dataset['vocabulary_digest'][:12]}")
    if settings.backbone_digest != dataset["backbone_digest"]:
        raise InputError(f"The captioner learnt from maps of {settings.backbone} with weights {settings.backbone_digest[:12]} (sha256). {folder} was "
                         f"made with {dataset['backbone']} with weights {dataset['backbone_digest'][:12]}")
