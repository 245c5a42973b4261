"""Examples of fine-tuning: each image with its own text.

P = patches, F = feature size.
"""

import types
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from kaleido_tf.data.batch_parts import WHOLE, Part
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.pipeline import RecordExamples
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.data.sampling import ExampleOrder
from kaleido_tf.records.photo import parse_photo


class OwnTextExamples(RecordExamples):
    """As `RecordExamples`, without mismatched texts and donors."""

    def __init__(
        self,
        table: RecordTable,
        make_example: Callable[[dict], dict],
        seed: int,
        columns: Mapping[str, np.ndarray] = types.MappingProxyType({}),
    ):
        # of its settings the order needs the seed alone
        super().__init__(table, make_example, ExamplesConfig(seed=seed), columns=columns)

    def notes(self) -> list[str]:
        """How many texts are cut off."""
        table = self.table
        length = table.sequences.shape[1]
        cut = int((table.lengths == length)[table.texts].sum())
        if not cut:
            return []
        return [
            f"{cut} of {len(table)} texts fill all {length} places of --input_sequence_length or"
            " are cut off there"
        ]

    def training_order(self, batch_size: int = 0) -> ExampleOrder:
        """Which image stands where in `training_batches`, whatever their size."""
        del batch_size
        return self._order(shuffle=True)

    def evaluation_batches(self, batch_size: int, part: Part = WHOLE) -> tf.data.Dataset:
        """One pass in file order, or a part of each batch; the last batch may be smaller."""
        return self._batches(self._order(shuffle=False), batch_size, 0, 1, part)

    def _order(self, shuffle: bool) -> ExampleOrder:
        return ExampleOrder(
            self.table,
            self.config.seed,
            shuffle=shuffle,
            negatives="none",
            donors=False,
            plain_only=self.plain_only,
        )


IMAGE_FIELDS = ("patch_features", "patch_boxes", "photo")
"""What an example may hold of an image, in the order in which `image_inputs` of a model takes
it.
"""


def row_image(row: dict, table: RecordTable) -> dict:
    """`patch_features` [P, F] float32 and `patch_boxes` [P, 5] int32 of a row's record; of one that
    holds pixels `photo` [side, side, 3] uint8.
    """
    if table.layout.holds_pixels:
        return {"photo": parse_photo(row["record"], table.size)}
    record = table.parse(row["record"])
    return {
        "patch_features": tf.cast(record["patch_features"], tf.float32),
        "patch_boxes": tf.ensure_shape(
            tf.cast(record["patch_boxes"], tf.int32), [table.layout.num_patches, 5]
        ),
    }
