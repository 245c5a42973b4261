"""How alike two photos are in colour: a baseline that learns nothing. N = photos, s = pixels a
side.
"""

import tensorflow as tf

STEPS = 4
"""Parts of each colour channel."""


def colour_histograms(photos) -> tf.Tensor:
    """[N, 64] float32 of length 1 of photos [N, s, s, 3] uint8: square roots of how often each of
    4 x 4 x 4 colours stands in a photo, so that products say how much two have in common.
    """
    steps = tf.cast(photos, tf.int32) * STEPS // 256
    codes = (steps[..., 0] * STEPS + steps[..., 1]) * STEPS + steps[..., 2]
    return tf.sqrt(tf.reduce_mean(tf.one_hot(codes, STEPS**3), axis=[1, 2]))
