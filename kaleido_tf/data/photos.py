"""Photos of pixel records as models see them: cut to their side, mirrored perhaps.

Draws are functions of (seed, position), as everything that is drawn for an example.
"""

import tensorflow as tf

from kaleido_tf.data.sampling import Draw, fold
from kaleido_tf.records.photo import CHANNELS


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


def mirrored_by_chance(photo: tf.Tensor, probability: float, seed: tf.Tensor) -> tf.Tensor:
    """The photo [H, W, 3] with left and right exchanged, as often as `probability` says."""
    if not probability:
        return photo
    draw = tf.random.stateless_uniform([], fold(seed, Draw.IMAGE_MIRROR))
    return tf.where(draw < probability, tf.reverse(photo, [1]), photo)


def in_unit_range(photos: tf.Tensor) -> tf.Tensor:
    """uint8 pixels as float32 in [0, 1]."""
    return tf.cast(photos, tf.float32) / 255.0
