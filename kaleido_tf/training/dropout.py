"""Dropout as a function of (seed, step, replica, layer), so that a resumed run drops what the first
one would have.

tf_keras draws dropout from counters that start anew with the process, or from generators that no
checkpoint holds.
"""

import threading

import tensorflow as tf
import tf_keras


class StepDropout:
    """Takes over the random source of every Dropout layer below a set of layers.

    The trainer names the step with `at` while it traces the forward pass; every layer then drops by
    a seed of its own.
    """

    def __init__(self, layers):
        # MirroredStrategy traces each replica in a thread of its own
        self._seed = threading.local()
        dropouts = [
            part
            for layer in layers
            for part in layer.submodules
            if isinstance(part, tf_keras.layers.Dropout)
        ]
        dropouts += [layer for layer in layers if isinstance(layer, tf_keras.layers.Dropout)]
        for number, layer in enumerate(dropouts):
            # the only handle tf_keras gives on a layer's draws
            layer._random_generator = _LayerSource(self, number)
        self.count = len(dropouts)

    def at(self, seed: int, step: tf.Tensor) -> None:
        """Sets the step for the calls that follow in this thread."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        base = tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])
        self._seed.value = tf.random.experimental.stateless_fold_in(base, replica)

    def seed_of(self, layer_number: int) -> tf.Tensor:
        """[2] int32: the seed of the layer's draw in this step."""
        value = getattr(self._seed, "value", None)
        if value is None:
            raise RuntimeError(
                "`StepDropout.at` must name the step before a model with dropout is called for"
                " training"
            )
        return tf.random.experimental.stateless_fold_in(value, layer_number)


class _LayerSource:
    """Stands where a Dropout layer expects its random generator."""

    _rng_type = "stateless"

    def __init__(self, owner: StepDropout, number: int):
        self._owner, self._number = owner, number

    def dropout(self, inputs, rate, noise_shape=None):
        seed = self.make_seed_for_stateless_op()
        return tf.nn.experimental.stateless_dropout(
            inputs, rate=rate, seed=seed, noise_shape=noise_shape
        )

    def make_seed_for_stateless_op(self):
        """[2] int32, for layers that draw themselves (layers/transformer_block.py)."""
        return self._owner.seed_of(self._number)

    def _maybe_init(self):
        """Layers call this when they are built; there is nothing to make."""
