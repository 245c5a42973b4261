"""Records to words with heat maps by a captioner (Kaleido-BERT, section 3.3): their photos, its
captions, a region a word.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from data_prep.alignment.alignments import Region
from data_prep.alignment.captions import Caption, Speaker, regions_of_words
from data_prep.alignment.feature_maps import CropMaps
from data_prep.alignment.record_alignments import check_layout
from data_prep.alignment.show_attend_tell import UNKNOWN, TrainedCaptioner
from data_prep.alignment.word_evidence import cells_say
from data_prep.features.backbones import Backbone, check_backbone
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.record import Record
from kaleido_tf.text import Vocabulary

WORDS = ("own", "generated")
"""`own`: the product's text is read along ("teacher forcing"); `generated`: the captioner's own
words, as in the paper.
"""
HEATS = ("evidence", "attention")
"""What a word's heat map is: what the cells say for it (see `word_evidence`), or where the decoder
looked when it said it (the paper's).
"""
_BATCH = 32


@dataclasses.dataclass(frozen=True)
class CaptionSettings:
    """`words`: one of `WORDS`. `heat`: one of `HEATS`. `beam`: captions kept while words are
    generated; 1 is greedy.
    """

    words: str = "own"
    heat: str = "evidence"
    beam: int = 3

    def __post_init__(self):
        if self.words not in WORDS or self.heat not in HEATS or self.beam < 1:
            raise InputError(
                f"`words` must be one of {', '.join(WORDS)}, `heat` of {', '.join(HEATS)} and"
                f" `beam` at least 1. Received: {self}"
            )


class CaptionRegions:
    """Finds the regions of records: `regions(folder, records of it)`.

    Args: backbone: the one the captioner and the records were made with. catalogue: where the
      photos are now, if not where the records say.
    """

    def __init__(
        self,
        captioner: TrainedCaptioner,
        backbone: Backbone,
        settings: CaptionSettings,
        catalogue: str = "",
    ):
        self._captioner, self._backbone, self._settings, self._catalogue = (
            captioner,
            backbone,
            settings,
            catalogue,
        )
        self._speaker = Speaker(captioner, settings.beam)
        self._evidence = captioner.model.evidence
        self._number_of = {piece: number for number, piece in enumerate(captioner.settings.pieces)}
        self._folders: dict[str, tuple[CropMaps, Vocabulary]] = {}

    def check(self, folder: str) -> None:
        """Raises: InputError for records of another layout, vocabulary or backbone, or whose
        catalogue is not there.
        """
        dataset = read_dataset_json(folder)
        check_layout(dataset, folder)
        check_captioner(self._captioner, dataset, folder)
        check_backbone(self._backbone, dataset, folder)
        photos = RecordPhotos(dataset, folder, self._catalogue)
        self._folders[folder] = (
            CropMaps(photos, self._backbone, self._captioner.settings.cells),
            Vocabulary(f"{folder}/vocab.txt"),
        )

    def describe(
        self, folder: str, records: Sequence[Record]
    ) -> list[tuple[Caption, list[Region]]]:
        """What the captioner says (or reads) of each record, and where the words that can be seen
        are seen.
        """
        if folder not in self._folders:
            self.check(folder)
        crops, vocabulary = self._folders[folder]
        found = []
        for start in range(0, len(records), _BATCH):
            batch = records[start : start + _BATCH]
            maps = crops.of(batch)
            found += [
                (
                    caption,
                    regions_of_words(caption.token_ids, self._cells(caption, seen), vocabulary),
                )
                for caption, seen in zip(self._captions(maps, batch), maps, strict=True)
            ]
        return found

    def __call__(self, folder: str, records: Sequence[Record]) -> list[list[Region]]:
        return [regions for _, regions in self.describe(folder, records)]

    def _captions(self, maps: np.ndarray, records: Sequence[Record]) -> list[Caption]:
        if self._settings.words == "generated":
            return self._speaker.describe(maps)
        return self._speaker.read(maps, [record.token_ids for record in records])

    def _cells(self, caption: Caption, maps: np.ndarray) -> np.ndarray:
        """[T, M, M] of the caption's pieces."""
        if self._settings.heat == "attention":
            return caption.attention
        return cells_say(
            maps,
            [self._number_of.get(piece, UNKNOWN) for piece in caption.token_ids],
            self._evidence,
        )


def check_captioner(captioner: TrainedCaptioner, dataset: dict, folder: str) -> None:
    """Raises: InputError for a captioner that was trained with another vocabulary or backbone than
    the records.
    """
    settings = captioner.settings
    if settings.vocabulary_digest != dataset["vocabulary_digest"]:
        raise InputError(
            f"The captioner speaks the word pieces of vocabulary {settings.vocabulary_digest[:12]}"
            f" (sha256). The texts of {folder} are of vocabulary"
            f" {dataset['vocabulary_digest'][:12]}"
        )
    if settings.backbone_digest != dataset["backbone_digest"]:
        raise InputError(
            f"The captioner learnt from maps of {settings.backbone} with weights"
            f" {settings.backbone_digest[:12]} (sha256). {folder} was made with"
            f" {dataset['backbone']} with weights {dataset['backbone_digest'][:12]}"
        )
