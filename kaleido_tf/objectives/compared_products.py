"""Texts and images as a comparison of words with patches takes them, normalised and kept in
memory.

N = images, S = text length, P = patches that are compared, F = feature size.
"""

import numpy as np
import tensorflow as tf

from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.data.record_table import RecordTable, read_evenly
from kaleido_tf.objectives.contrastive_start import MEMORY_BYTES
from kaleido_tf.records.views import PLAIN

BLOCK = 192
"""Images that are normalised at once."""


class ComparedProducts:
    """Texts and images of (a sample of) the records, or of some of these.

    Attributes: numbers: [N] of the records in their table. texts: [N] int, equal where texts are.
      sequences: [N, S] int32, lengths: [N] int32. plain: [n] the places among N of photos as they
      are, without their other views.
    """

    def __init__(
        self,
        numbers: np.ndarray,
        texts: np.ndarray,
        sequences: np.ndarray,
        lengths: np.ndarray,
        plain: np.ndarray,
        features: np.ndarray,
    ):
        self.numbers, self.texts = numbers, texts
        self.sequences, self.lengths = sequences, lengths
        self.plain, self._features = plain, features

    def __len__(self) -> int:
        return len(self.numbers)

    def features(self, rows) -> tf.Tensor:
        """[B, P, F] float32, normalised."""
        return tf.constant(self._features[rows], tf.float32)

    def text(self, rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Ids and mask [B, S]."""
        feed = text_inputs(tf.constant(self.sequences[rows]), tf.constant(self.lengths[rows]))
        return feed["input_ids"], feed["input_mask"]

    def evenly(self, count: int) -> np.ndarray:
        """At most `count` of the rows of photos as they are, spread evenly."""
        last, count = len(self.plain) - 1, min(len(self.plain), count)
        return self.plain[np.unique(np.linspace(0, last, count).astype(int))]

    def some(self, rows: np.ndarray) -> "ComparedProducts":
        """Those at `rows` alone."""
        return ComparedProducts(
            self.numbers[rows],
            self.texts[rows],
            self.sequences[rows],
            self.lengths[rows],
            np.flatnonzero(np.isin(rows, self.plain)),
            self._features[rows],
        )


def compared_products(model, table: RecordTable) -> ComparedProducts:
    """The records of a table, or as many, spread evenly, as memory holds compared features of.
    Args: model: whose features are normalised as it does.
    """
    patches = model.compared_patches
    most = fitting_records(table, patches)
    numbers, features, _ = read_evenly(table, most, patches)
    for start in range(0, len(features), BLOCK):
        block = tf.constant(features[start : start + BLOCK], tf.float32)
        features[start : start + BLOCK] = model.normalised_features(block).numpy()
    texts = table.texts[numbers]
    return ComparedProducts(
        numbers,
        texts,
        table.sequences[texts],
        table.lengths[texts],
        np.flatnonzero(table.views[numbers] == PLAIN),
        features,
    )


def fitting_records(table: RecordTable, patches: int) -> int:
    """How many records have features of so many patches in the memory that is meant for them: all,
    or some.
    """
    each = patches * table.feature_size * 2
    return min(len(table), max(MEMORY_BYTES // each, 2))
