"""The original's optimizer and schedule (EasyTransfer): Adam with warm-up and linear decay
to zero.
"""

import tensorflow as tf
import tf_keras

EXCLUDED_FROM_DECAY = ("LayerNorm", "layer_norm", "bias")
"""Variables whose name holds one of these do not decay."""


class WarmupLinearDecay(tf_keras.optimizers.schedules.LearningRateSchedule):
    """`rate(t) = peak * (1 - t / steps)`, times `t / warmup` during the warm-up; 0 at and after
    `steps`.

    t counts the updates made so far, so with a warm-up the first update has rate 0, as in the
    original.
    """

    def __init__(self, peak: float, steps: int, warmup: int):
        self.peak, self.steps, self.warmup = peak, steps, warmup

    def __call__(self, step):
        done = tf.cast(step, tf.float32)
        rate = self.peak * (1.0 - tf.minimum(done, float(self.steps)) / self.steps)
        return rate * tf.minimum(done / self.warmup, 1.0) if self.warmup else rate

    def get_config(self):
        return {"peak": self.peak, "steps": self.steps, "warmup": self.warmup}


class BertAdam(tf_keras.optimizers.Adam):
    """Adam as the original builds it (epsilon 1e-6 added to the root of the uncorrected second
    moment).

    Without weight decay beta_2 is 0.98; with it 0.999, and `weight_decay_ratio * weight` is added
    to the update before the bias-corrected rate, except for layer norms and biases. (Loshchilov and
    Hutter's AdamW would use the plain rate.)
    """

    def __init__(self, learning_rate, weight_decay_ratio: float = 0.0, name="BertAdam", **kwargs):
        beta_2 = kwargs.pop("beta_2", 0.999 if weight_decay_ratio else 0.98)
        epsilon = kwargs.pop("epsilon", 1e-6)
        # XLA is chosen for the whole step by the trainer, not here.
        super().__init__(
            learning_rate, beta_2=beta_2, epsilon=epsilon, name=name, jit_compile=False, **kwargs
        )
        self.weight_decay_ratio = weight_decay_ratio

    def update_step(self, gradient, variable):
        decays = self.weight_decay_ratio and not any(
            part in variable.name for part in EXCLUDED_FROM_DECAY
        )
        # Of the weight as it was before this update.
        decay = (
            variable * (self.weight_decay_ratio * self._corrected_rate(variable.dtype))
            if decays
            else None
        )
        super().update_step(gradient, variable)
        if decay is not None:
            variable.assign_sub(decay)

    def _corrected_rate(self, dtype):
        update = tf.cast(self.iterations + 1, dtype)
        correction = tf.sqrt(1 - tf.pow(tf.cast(self.beta_2, dtype), update)) / (
            1 - tf.pow(tf.cast(self.beta_1, dtype), update)
        )
        return tf.cast(self.learning_rate, dtype) * correction

    def get_config(self):
        return {**super().get_config(), "weight_decay_ratio": self.weight_decay_ratio}


def train_steps(num_examples: int, num_epochs: float, global_batch: int) -> int:
    """Number of updates as the original counts them: int(examples * epochs / batch) + 1."""
    return int(num_examples * num_epochs / global_batch) + 1
