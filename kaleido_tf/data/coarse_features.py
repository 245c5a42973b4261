"""The coarse features of the photos of records: a few numbers of each, so that those of all fit
into memory where the patches would not.

N = records, F = feature size.
"""

import numpy as np
import tensorflow as tf

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.records.photo import parse_photo
from kaleido_tf.records.record import Layout
from kaleido_tf.records.shared_photos import open_shards

COARSE_SIDE = 2
COARSE_PHOTO = 16
"""Pixels a side of a photo that is looked at from afar."""


def read_coarse_features(table: RecordTable) -> np.ndarray:
    """[N, 4 * F or 5 * F] float16: the features of every photo's quarters, and of the whole
    photo where the layout has it; of a finer grid the means of its quarters. Of photos [N, 768],
    their colours at 16 x 16 pixels.
    """
    layout, features = table.layout, None

    def parse(serialized):
        if layout.holds_pixels:
            return _from_afar(parse_photo(serialized, table.size))
        return table.parse(serialized)["patch_features"]

    dataset = open_shards(list(table.files), table.shares_photos).map(
        parse, tf.data.AUTOTUNE, deterministic=True
    )
    for number, patches in enumerate(dataset.prefetch(64).as_numpy_iterator()):
        row = _coarse(patches, layout).reshape(-1)
        if features is None:
            features = np.empty([len(table), len(row)], np.float16)
        features[number] = row
    return features


def _from_afar(photo: tf.Tensor) -> tf.Tensor:
    """[s, s, 3] uint8 -> [16, 16, 3] float32 in [0, 1]."""
    size = [COARSE_PHOTO, COARSE_PHOTO]
    return tf.image.resize(photo, size, method="area") / 255.0


def _coarse(patches: np.ndarray, layout: Layout) -> np.ndarray:
    if layout.holds_pixels:
        return patches
    coarse = sum(side * side for side in layout.sides if side <= COARSE_SIDE)
    if coarse:
        return patches[:coarse]
    side = layout.sides[0]
    half = side // COARSE_SIDE
    cells = patches.reshape(COARSE_SIDE, half, COARSE_SIDE, half, patches.shape[1])
    return cells.astype(np.float32).mean(axis=(1, 3))
