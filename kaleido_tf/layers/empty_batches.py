"""Batches without any example: what one of several replicas is given of a last batch that has fewer
examples than there are replicas.
"""

from collections.abc import Callable

import tensorflow as tf


def with_examples(network: Callable[..., tf.Tensor], *maps: tf.Tensor) -> tf.Tensor:
    """What a network of convolutions makes of maps [B, ...], whether or not B is 0.

    On CPUs a convolution that TensorFlow has fused with what follows it (a bias, a batch norm)
    gives an empty batch the shape of its input, and the next one fails on the number of channels.
    So an example of zeros passes instead, and what is made of it is left out.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if replicas == 1 or maps[0].shape[0]:  # an empty batch cannot be
        return network(*maps)
    rows = tf.shape(maps[0])[0]
    added = tf.cast(rows == 0, tf.int32)
    filled = [
        tf.concat([given, tf.zeros([added, *given.shape[1:]], given.dtype)], axis=0)
        for given in maps
    ]
    return network(*filled)[:rows]
