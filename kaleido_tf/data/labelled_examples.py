"""Records to batches of recognition: each image with its own text and its class, nothing masked.

S = text length, P = patches, F = feature size.
"""

import dataclasses
import hashlib

import numpy as np
import tensorflow as tf

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.pipeline import RecordExamples, text_inputs
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.data.sampling import ExampleOrder
from kaleido_tf.records.record import parse_record
from kaleido_tf.text import Vocabulary, sequence

EMPTY_TEXT = 2
"""Places of a text of [CLS] and [SEP] alone."""


class LabelledExamples(RecordExamples):
    """The examples of a run, dicts of `input_ids`, `input_mask`, `segment_ids` [B, S], `label` [B]
    and, unless texts stand alone, `patch_features` [B, P, F] float32, `patch_boxes` [B, P, 5].

    What `modalities` hides is not in them: `image` has texts of [CLS] and [SEP] alone, `text` no
    image.
    Args: labels: [N] int32 of the table's records.
    """

    def __init__(
        self,
        table: RecordTable,
        labels: np.ndarray,
        modalities: str,
        vocabulary: Vocabulary,
        seed: int,
    ):
        shown = _without_texts(table, vocabulary) if modalities == "image" else table
        make = _text_alone if modalities == "text" else _image_maker(table)
        config = ExamplesConfig(seed=seed)  # of its settings the order needs the seed alone
        super().__init__(shown, make, config, columns={"label": labels})
        self.labels, self._hides_texts = labels, modalities == "image"

    @property
    def digest(self) -> int:
        """As of all records, and of their classes."""
        digest = hashlib.sha256(f"{super().digest}".encode() + self.labels.tobytes())
        return int.from_bytes(digest.digest()[:8], "big", signed=True)

    def notes(self) -> list[str]:
        """How many texts are cut off."""
        table = self.table
        length = table.sequences.shape[1]
        cut = 0 if self._hides_texts else int((table.lengths == length)[table.texts].sum())
        if not cut:
            return []
        return [
            f"{cut} of {len(table)} texts fill all {length} places of --input_sequence_length or"
            " are cut off there"
        ]

    def training_order(self) -> ExampleOrder:
        """Which image stands where in `training_batches`."""
        return self._order(shuffle=True)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """One pass in file order; the last batch may be smaller."""
        return self._batches(self._order(shuffle=False), batch_size, start=0, epochs=1)

    def _order(self, shuffle: bool) -> ExampleOrder:
        seed = self.config.seed
        return ExampleOrder(self.table, seed, shuffle=shuffle, negatives="none", donors=False)


def _without_texts(table: RecordTable, vocabulary: Vocabulary) -> RecordTable:
    ids, used = sequence([], EMPTY_TEXT, vocabulary)
    return dataclasses.replace(
        table,
        texts=np.zeros_like(table.texts),
        sequences=ids[None],
        lengths=np.array([used], np.int32),
    )


def _text_alone(row: dict) -> dict:
    return {**text_inputs(row["input_ids"], row["used"]), "label": row["label"]}


def _image_maker(table: RecordTable):
    def make(row):
        record = parse_record(row["record"], table.feature_size, table.layout)
        return {
            **_text_alone(row),
            "patch_features": tf.cast(record["patch_features"], tf.float32),
            "patch_boxes": tf.ensure_shape(
                tf.cast(record["patch_boxes"], tf.int32), [table.layout.num_patches, 5]
            ),
        }

    return make
