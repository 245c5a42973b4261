"""Photos of pixel records as models see them: cut to their side, mirrored perhaps.

Draws are functions of (seed, position), as everything that is drawn for an example.
"""

import math

import tensorflow as tf

from kaleido_tf.data.sampling import Draw, fold
from kaleido_tf.records.photo import CHANNELS

SHAPES = (0.75, 1.3)
"""Width over height of parts, the least and the most, of FashionViL's fine-tuning on FashionIQ."""
_TRIES = 10


def cut_anywhere(photo: tf.Tensor, side: int, seed: tf.Tensor) -> tf.Tensor:
    """A square [side, side, 3] of a larger photo, at a place that is drawn; the photo itself where
    it is no larger.
    """
    free = photo.shape[0] - side
    if not free:
        return photo
    corner = tf.random.stateless_uniform(
        [2], fold(seed, Draw.IMAGE_CUT), 0, free + 1, dtype=tf.int32
    )
    part = tf.slice(photo, tf.concat([corner, [0]], axis=0), [side, side, CHANNELS])
    return tf.ensure_shape(part, [side, side, CHANNELS])


def cut_centre(photos: tf.Tensor, side: int) -> tf.Tensor:
    """The squares [..., side, side, 3] in the middle of photos [..., s, s, 3]."""
    start = (photos.shape[-2] - side) // 2
    return photos[..., start : start + side, start : start + side, :]


def cut_resized(photo: tf.Tensor, side: int, smallest: float, seed: tf.Tensor) -> tf.Tensor:
    """A part [side, side, 3] uint8 of a square photo [s, s, 3], of a place, size and shape that are
    drawn, brought to a square (torchvision's RandomResizedCrop, with the release's `SHAPES`).

    Args: smallest: share of the photo's area that the part has at least; 1: the whole photo. Of ten
      draws the first that lies within the photo is taken; where none does, the whole photo.
    """
    if smallest == 1:
        return resized(photo, side)
    whole = photo.shape[0]
    draws = tf.random.stateless_uniform([4, _TRIES], fold(seed, Draw.IMAGE_CUT))
    area = (smallest + (1 - smallest) * draws[0]) * whole**2
    low, high = (math.log(shape) for shape in SHAPES)
    shape = tf.exp(low + (high - low) * draws[1])
    sides = tf.cast(tf.round(tf.sqrt(tf.stack([area / shape, area * shape]))), tf.int32)
    fits = tf.reduce_all(sides <= whole, axis=0)
    first = tf.argmax(tf.cast(fits, tf.int32))
    size = tf.where(fits[first], sides[:, first], whole)
    free = tf.cast(whole - size + 1, tf.float32)
    corner = tf.cast(draws[2:, first] * free, tf.int32)
    corner = tf.minimum(corner, whole - size)
    part = tf.slice(photo, tf.concat([corner, [0]], 0), tf.concat([size, [CHANNELS]], 0))
    return resized(part, side)


def resized(photo: tf.Tensor, side: int) -> tf.Tensor:
    """A photo [H, W, 3] uint8 as a square [side, side, 3]: all of it, whatever its shape was."""
    if photo.shape[:2] == (side, side):
        return photo
    pixels = tf.image.resize(photo, [side, side], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)


def mirrored_by_chance(photo: tf.Tensor, probability: float, seed: tf.Tensor) -> tf.Tensor:
    """The photo [H, W, 3] with left and right exchanged, as often as `probability` says."""
    if not probability:
        return photo
    draw = tf.random.stateless_uniform([], fold(seed, Draw.IMAGE_MIRROR))
    return tf.where(draw < probability, tf.reverse(photo, [1]), photo)


def in_unit_range(photos: tf.Tensor) -> tf.Tensor:
    """uint8 pixels as float32 in [0, 1]."""
    return tf.cast(photos, tf.float32) / 255.0
