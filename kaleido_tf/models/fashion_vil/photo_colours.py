"""How the colours of photos come to FashionViL's networks: normalised by the mean and spread of the
authors' fashion photos (not ImageNet's).
"""

import tensorflow as tf

MEAN = (0.46777044, 0.44531429, 0.40661017)
SPREAD = (0.12221994, 0.12145835, 0.14380469)
"""Of red, green and blue in [0, 1], over all photos of the authors' data sets."""


def normalised(photos: tf.Tensor) -> tf.Tensor:
    """[..., 3] uint8 -> float32."""
    return (tf.cast(photos, tf.float32) / 255.0 - MEAN) / SPREAD


def in_unit_range(colours: tf.Tensor) -> tf.Tensor:
    """Normalised colours [..., 3] float as colours in [0, 1] float32, cut off at both ends."""
    return tf.clip_by_value(tf.cast(colours, tf.float32) * SPREAD + MEAN, 0.0, 1.0)
