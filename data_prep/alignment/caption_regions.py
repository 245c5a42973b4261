"""Records to words with heat maps (Kaleido-BERT, section 3.3): their photos, the captions of a
captioner or their own texts, a region a word.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from data_prep.alignment.alignments import Region
from data_prep.alignment.captions import Caption, Speaker, regions_of_words
from data_prep.alignment.feature_maps import CropMaps
from data_prep.alignment.pieces import numbers_of
from data_prep.alignment.record_alignments import check_layout
from data_prep.alignment.show_attend_tell import CaptionerSettings, TrainedCaptioner
from data_prep.alignment.word_evidence import EvidenceSettings, TrainedEvidence, evidence_of_cells
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

    @property
    def needs_captioner(self) -> bool:
        """Whether the LSTM has anything to do: own words with evidence need a linear fit alone."""
        return self.words == "generated" or self.heat == "attention"

    def __post_init__(self):
        if self.words not in WORDS or self.heat not in HEATS or self.beam < 1:
            raise InputError(
                f"`words` must be one of {', '.join(WORDS)}, `heat` of {', '.join(HEATS)} and"
                f" `beam` at least 1. Received: {self}"
            )


class CaptionRegions:
    """Finds the regions of records: `regions(folder, records of it)`.

    Args: backbone: the one that networks and records were made with. captioner: needed for
      generated words and for attention. evidence: needed where it is the heat. catalogue: where the
      photos are now, if not where the records say.
    Raises: InputError if a network is missing that the settings need.
    """

    def __init__(
        self,
        backbone: Backbone,
        settings: CaptionSettings,
        captioner: TrainedCaptioner | None = None,
        evidence: TrainedEvidence | None = None,
        catalogue: str = "",
    ):
        self._settings, self._backbone, self._catalogue = settings, backbone, catalogue
        if settings.needs_captioner and captioner is None:
            raise InputError(
                f"--words={settings.words} --heat={settings.heat} needs --captioner (a folder of"
                " data_prep.train_captioner). Received: none"
            )
        if settings.heat == "evidence" and evidence is None:
            raise InputError(
                "--heat=evidence needs --evidence (a folder of data_prep.train_word_evidence)."
                " Received: none"
            )
        self._captioner = captioner if settings.needs_captioner else None
        self._evidence = evidence if settings.heat == "evidence" else None
        self._speaker = Speaker(captioner, settings.beam) if self._captioner else None
        self._folders: dict[str, tuple[CropMaps, Vocabulary]] = {}

    @property
    def _networks(self) -> list[CaptionerSettings | EvidenceSettings]:
        """Settings of what is used."""
        return [part.settings for part in (self._captioner, self._evidence) if part is not None]

    @property
    def source(self) -> dict:
        """What `dataset.json` is to say of it."""
        settings, source = self._settings, {"source": "evidence"}
        if self._captioner is not None:
            source = {"source": "captioner", "captioner_digest": self._captioner.digest}
        if self._evidence is not None:
            source["evidence_digest"] = self._evidence.digest
        beam = {"beam": settings.beam} if settings.words == "generated" else {}
        return {**source, "words": settings.words, "heat": settings.heat, **beam}

    def check(self, folder: str) -> None:
        """Raises: InputError for records of another layout, vocabulary or backbone, or whose
        catalogue is not there.
        """
        dataset = read_dataset_json(folder)
        check_layout(dataset, folder)
        for network in self._networks:
            check_network(network, dataset, folder)
        check_backbone(self._backbone, dataset, folder)
        photos = RecordPhotos(dataset, folder, self._catalogue)
        self._folders[folder] = (
            CropMaps(photos, self._backbone, self._networks[0].cells),
            Vocabulary(f"{folder}/vocab.txt"),
        )

    def describe(
        self, folder: str, records: Sequence[Record]
    ) -> list[tuple[Caption, list[Region]]]:
        """The caption of each record, read or generated, and where the words that can be seen are
        seen.
        """
        if folder not in self._folders:
            self.check(folder)
        crops, vocabulary = self._folders[folder]
        described = []
        for start in range(0, len(records), _BATCH):
            batch = records[start : start + _BATCH]
            maps = crops.of(batch)
            for caption, cells in zip(self._captions(maps, batch), maps, strict=True):
                heat = self._heat(caption, cells)
                described.append((caption, regions_of_words(caption.token_ids, heat, vocabulary)))
        return described

    def __call__(self, folder: str, records: Sequence[Record]) -> list[list[Region]]:
        return [regions for _, regions in self.describe(folder, records)]

    def _captions(self, maps: np.ndarray, records: Sequence[Record]) -> list[Caption]:
        texts = [record.token_ids for record in records]
        if self._speaker is None:
            longest = self._evidence.settings.longest
            return [Caption(tuple(int(piece) for piece in text[:longest])) for text in texts]
        if self._settings.words == "generated":
            return self._speaker.describe(maps)
        return self._speaker.read(maps, texts)

    def _heat(self, caption: Caption, maps: np.ndarray) -> np.ndarray:
        """[T, M, M] of the caption's pieces."""
        if self._evidence is None:
            return caption.attention
        numbers = numbers_of(caption.token_ids, self._evidence.settings.pieces)
        return evidence_of_cells(maps, numbers, self._evidence.evidence)


def check_network(
    settings: CaptionerSettings | EvidenceSettings, dataset: dict, folder: str
) -> None:
    """Raises: InputError for a network that was trained with another vocabulary or backbone than
    the records.
    """
    if settings.vocabulary_digest != dataset["vocabulary_digest"]:
        raise InputError(
            f"The captioner's word pieces are of vocabulary {settings.vocabulary_digest[:12]}"
            f" (sha256). The texts of {folder} are of vocabulary"
            f" {dataset['vocabulary_digest'][:12]}"
        )
    if settings.backbone_digest != dataset["backbone_digest"]:
        raise InputError(
            f"The captioner learnt from maps of {settings.backbone} with weights"
            f" {settings.backbone_digest[:12]} (sha256). {folder} was made with"
            f" {dataset['backbone']} with weights {dataset['backbone_digest'][:12]}"
        )
