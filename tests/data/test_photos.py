"""Parts of photos, brought to a square."""

import numpy as np
import tensorflow as tf

from kaleido_tf.data.photos import SHAPES, cut_resized, resized

WHOLE, SIDE = 90, 30
GRADIENT = np.stack(np.meshgrid(*2 * [np.arange(WHOLE)], indexing="ij"), -1)
PHOTO = tf.constant(np.concatenate([GRADIENT, 0 * GRADIENT[..., :1]], -1), tf.uint8)
"""Red says the row, green the column."""


def edges(part):
    """(height, width, top, left) of the part of the photo that is seen, about."""
    values = np.asarray(part, float)
    sides = [values[..., axis].max() - values[..., axis].min() for axis in (0, 1)]
    starts = [values[..., axis].min() for axis in (0, 1)]
    return *(side * SIDE / (SIDE - 1) for side in sides), *starts


def test_parts_are_as_large_and_as_wide_as_is_drawn():
    seen = np.array([edges(cut_resized(PHOTO, SIDE, 0.5, tf.constant([3, n]))) for n in range(300)])
    heights, widths, tops, lefts = seen.T
    areas, shapes = heights * widths / WHOLE**2, widths / heights
    assert 0.47 < areas.min() < 0.56 and 0.8 < areas.max() <= 1.05
    assert SHAPES[0] - 0.05 < shapes.min() < 0.85 and 1.18 < shapes.max() < SHAPES[1] + 0.05
    assert abs(np.log(shapes).mean()) < 0.03
    for starts, sides in ((tops, heights), (lefts, widths)):
        assert starts.min() < 3 and (starts + sides).max() > WHOLE - 3
        places = starts / np.maximum(WHOLE - sides, 4)
        assert 0.3 < places.mean() < 0.7


def test_a_part_follows_from_the_seed():
    first, again, other = (
        cut_resized(PHOTO, SIDE, 0.5, tf.constant([3, n])).numpy() for n in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and first.dtype == np.uint8


def test_whole_photos():
    np.testing.assert_array_equal(resized(PHOTO, WHOLE), PHOTO)
    np.testing.assert_array_equal(cut_resized(PHOTO, WHOLE, 1, tf.constant([3, 1])), PHOTO)
    small = resized(PHOTO, SIDE).numpy().astype(int)
    np.testing.assert_array_equal(small[5, 1:-1, 1], np.arange(4, WHOLE - 3, 3))  # means of three
