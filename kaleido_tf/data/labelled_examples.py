"""Records to batches of recognition: each image with its own text and its class, nothing masked.

S = text length, P = patches, F = feature size.
"""

import dataclasses
import hashlib

import numpy as np

from kaleido_tf.data.own_text_examples import OwnTextExamples, row_image
from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.text import Vocabulary, sequence

EMPTY_TEXT = 2
"""Places of a text of [CLS] and [SEP] alone."""


class LabelledExamples(OwnTextExamples):
    """The examples of a run, dicts of `input_ids`, `input_mask`, `segment_ids` [B, S], `label` [B]
    and, unless texts stand alone, what `row_image` gives of the images.

    What `modalities` hides is not in them: `image` has texts of [CLS] and [SEP] alone, `text` no
    image.
    Args: labels: [N] int32 of the table's records. empty_text: places of a hidden text.
    """

    def __init__(
        self,
        table: RecordTable,
        labels: np.ndarray,
        modalities: str,
        vocabulary: Vocabulary,
        seed: int,
        empty_text: int = EMPTY_TEXT,
    ):
        shown = _without_texts(table, vocabulary, empty_text) if modalities == "image" else table
        make = _text_alone if modalities == "text" else _image_maker(table)
        super().__init__(shown, make, seed, columns={"label": labels})
        self.labels, self._hides_texts = labels, modalities == "image"

    @property
    def digest(self) -> int:
        """As of all records, and of their classes."""
        digest = hashlib.sha256(f"{super().digest}".encode() + self.labels.tobytes())
        return int.from_bytes(digest.digest()[:8], "big", signed=True)

    def notes(self) -> list[str]:
        """How many texts are cut off, where they are shown."""
        return [] if self._hides_texts else super().notes()


def _without_texts(table: RecordTable, vocabulary: Vocabulary, places: int) -> RecordTable:
    ids, used = sequence([], places, vocabulary)
    return dataclasses.replace(
        table,
        texts=np.zeros_like(table.texts),
        sequences=ids[None],
        lengths=np.array([used], np.int32),
    )


def _text_alone(row: dict) -> dict:
    return {**text_inputs(row["input_ids"], row["used"]), "label": row["label"]}


def _image_maker(table: RecordTable):
    return lambda row: {**_text_alone(row), **row_image(row, table)}
