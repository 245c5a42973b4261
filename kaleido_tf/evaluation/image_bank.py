"""The images of pairs in memory, each once, however many pairs it stands in: patch features, or
photos as their records hold them.

I = images, B = pairs of a batch, P = patches, F = feature size.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from kaleido_tf.data.record_table import RecordTable, read_all_serialized, read_images
from kaleido_tf.records.photo import CHANNELS, parse_photo


@dataclasses.dataclass(frozen=True)
class PatchBank:
    """`features` [I, P, F] float16 and `boxes` [I, P, 5] int32; `rows`: of each record of the table
    its image, or -1.
    """

    rows: np.ndarray
    features: np.ndarray
    boxes: np.ndarray

    def reader(self):
        """A function of images [B] int that gives their features [B, P, F] float32 and boxes."""
        features, boxes = tf.constant(self.features), tf.constant(self.boxes)
        return lambda images: (
            tf.cast(tf.gather(features, images), tf.float32),
            tf.gather(boxes, images),
        )


@dataclasses.dataclass(frozen=True)
class PhotoBank:
    """`records` [I] serialized, photos of `side` pixels; `rows` as of a `PatchBank`. They stay as
    they are encoded, a tenth of their pixels or less, and are decoded with every pair.
    """

    rows: np.ndarray
    records: np.ndarray
    side: int

    def reader(self):
        """A function of images [B] int that gives their photos ([B, side, side, 3] uint8,)."""
        records, shape = tf.constant(self.records), [self.side, self.side, CHANNELS]

        def read(images):
            photos = tf.map_fn(
                lambda record: parse_photo(record, self.side),
                tf.gather(records, images),
                fn_output_signature=tf.TensorSpec(shape, tf.uint8),
            )
            return (photos,)

        return read


def open_bank(table: RecordTable, numbers: np.ndarray) -> PatchBank | PhotoBank:
    """The images of the records of these `numbers`, read once."""
    if not table.layout.holds_pixels:
        return PatchBank(*read_images(table, numbers))
    kept = np.unique(numbers)
    rows = np.full([len(table)], -1, np.int32)
    rows[kept] = np.arange(len(kept))
    return PhotoBank(rows, read_all_serialized(table, kept), table.size)
