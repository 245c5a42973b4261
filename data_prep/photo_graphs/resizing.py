"""OpenCV's resizing in TensorFlow's operations, for sizes known only when a photo is there.

H, W = height and width before, h, w = after, C = channels. Pictures are uint8, as photos are, or
float32 (a network's probabilities). Of uint8 the results are OpenCV's own, step of rounding by step
of rounding; a pixel in some ten thousand differs by one where a mean falls between two numbers.
"""

from typing import NamedTuple

import tensorflow as tf

_ONE = 2**11
"""The weight 1 where OpenCV interpolates whole numbers."""
_SLIVER = 1e-3
"""Of a pixel: a smaller part of one counts for nothing in a mean over an area."""


class _Places(NamedTuple):
    """Between which places of a side to interpolate: `first` [n], the one behind it `second` [n],
    and the part [n] float32 of the second.
    """

    first: tf.Tensor
    second: tf.Tensor
    part: tf.Tensor


def resize(picture: tf.Tensor, height, width) -> tf.Tensor:
    """[H, W, C] -> [h, w, C] by bilinear interpolation, as cv2.INTER_LINEAR."""
    rows, columns = tf.shape(picture)[0], tf.shape(picture)[1]
    down, across = _linear(rows, height), _linear(columns, width)
    if picture.dtype != tf.uint8:
        return _between(_between(picture, across, 1), down, 0)
    # OpenCV takes the mean where both sides are halved.
    halved = (rows == 2 * height) & (columns == 2 * width)
    return tf.cond(
        halved, lambda: _mean(picture, height, width), lambda: _interpolated(picture, down, across)
    )


def shrink(picture: tf.Tensor, height, width) -> tf.Tensor:
    """[H, W, C] uint8 -> [h, w, C] uint8 by means over areas, as cv2.INTER_AREA; where a side
    grows, OpenCV interpolates in a way of its own instead.
    """
    rows, columns = tf.shape(picture)[0], tf.shape(picture)[1]
    down, across = _enlarged(rows, height), _enlarged(columns, width)
    return tf.cond(
        (rows >= height) & (columns >= width),
        lambda: _mean(picture, height, width),
        lambda: _interpolated(picture, down, across),
    )


def _mean(picture, height, width):
    rows, columns = tf.shape(picture)[0], tf.shape(picture)[1]
    whole = (rows % height == 0) & (columns % width == 0)
    pixels = tf.cond(whole, lambda: (rows // height) * (columns // width), lambda: 1)
    total = tf.einsum(
        "hH,wW,HWc->hwc",
        _areas(rows, height, whole),
        _areas(columns, width, whole),
        tf.cast(picture, tf.float32),
    )
    mean = total * (1 / tf.cast(pixels, tf.float32))
    # Halves are rounded up where both sides are halved, else to the even number.
    halved = (rows == 2 * height) & (columns == 2 * width)
    return tf.cast(tf.where(halved, tf.floor(mean + 0.5), tf.round(mean)), tf.uint8)


def _areas(before, after, counts):
    """[after, before] shares of the pixels in the means; where it `counts` them, 1 or 0."""
    scale = tf.cast(before, tf.float64) / tf.cast(after, tf.float64)
    begin = tf.range(after, dtype=tf.float64)[:, None] * scale
    pixels = tf.range(before, dtype=tf.float64)[None]
    covered = tf.minimum(begin + scale, pixels + 1) - tf.maximum(begin, pixels)
    covered = tf.where(covered > _SLIVER, covered, 0.0)
    cell = tf.minimum(scale, tf.cast(before, tf.float64) - begin)
    return tf.cast(tf.where(counts, tf.round(covered), covered / cell), tf.float32)


def _interpolated(picture, down: _Places, across: _Places):
    """Of uint8, in OpenCV's whole numbers."""
    rows = _weighted(tf.cast(picture, tf.int32), across, 1)
    rows = tf.bitwise.right_shift(tf.cast(rows, tf.int32), 4)
    first, second = (_share(part) for part in (1 - down.part, down.part))
    upper = first[:, None, None] * tf.gather(rows, down.first)
    lower = second[:, None, None] * tf.gather(rows, down.second)
    total = tf.bitwise.right_shift(upper, 16) + tf.bitwise.right_shift(lower, 16) + 2
    return tf.cast(tf.clip_by_value(tf.bitwise.right_shift(total, 2), 0, 255), tf.uint8)


def _weighted(picture, places: _Places, axis: int):
    first, second = (_share(part)[:, None] for part in (1 - places.part, places.part))
    return first * tf.gather(picture, places.first, axis=axis) + second * tf.gather(
        picture, places.second, axis=axis
    )


def _share(part):
    return tf.cast(tf.round(part * _ONE), tf.int32)


def _between(picture, places: _Places, axis: int):
    part = places.part[:, None] if axis else places.part[:, None, None]
    first = tf.gather(picture, places.first, axis=axis)
    return first * (1 - part) + tf.gather(picture, places.second, axis=axis) * part


def _linear(before, after) -> _Places:
    """Of bilinear interpolation between the centres of pixels."""
    scale = tf.cast(before, tf.float64) / tf.cast(after, tf.float64)
    centres = tf.range(after, dtype=tf.float64) + 0.5
    places = tf.cast(centres * scale - 0.5, tf.float32)
    first = tf.floor(places)
    return _within(first, places - first, before)


def _enlarged(before, after) -> _Places:
    """With which OpenCV enlarges by "areas"."""
    scale = tf.cast(before, tf.float64) / tf.cast(after, tf.float64)
    numbers = tf.range(after, dtype=tf.float64)
    first = tf.floor(numbers * scale)
    part = tf.cast((numbers + 1) - (first + 1) * (1 / scale), tf.float32)
    return _within(first, tf.where(part <= 0, 0.0, part - tf.floor(part)), before)


def _within(first, part, size) -> _Places:
    first = tf.cast(first, tf.int32)
    return _Places(*(tf.clip_by_value(place, 0, size - 1) for place in (first, first + 1)), part)
