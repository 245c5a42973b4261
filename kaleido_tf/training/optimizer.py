"""The originals' optimizers and schedules: EasyTransfer's Adam with warm-up and linear decay to
zero, and MVLT's AdamW with a cosine that changes once an epoch.
"""

import math

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
        if self.weight_decay_ratio and not any(
            part in variable.name for part in EXCLUDED_FROM_DECAY
        ):
            # Of the weight as it was before this update.
            decay = self.weight_decay_ratio * self._corrected_rate(variable.dtype)
            variable.assign_sub(variable * decay)
        rate = tf.cast(self.learning_rate, variable.dtype)
        update = tf.cast(self.iterations + 1, variable.dtype)
        apply_adam(self, gradient, variable, rate, update, self.epsilon)

    def _corrected_rate(self, dtype):
        update = tf.cast(self.iterations + 1, dtype)
        correction = tf.sqrt(1 - tf.pow(tf.cast(self.beta_2, dtype), update)) / (
            1 - tf.pow(tf.cast(self.beta_1, dtype), update)
        )
        return tf.cast(self.learning_rate, dtype) * correction

    def get_config(self):
        return {**super().get_config(), "weight_decay_ratio": self.weight_decay_ratio}


class EpochCosine(tf_keras.optimizers.schedules.LearningRateSchedule):
    """The rate of each epoch as MVLT's release has it (exp21, ft_exp48).

    It lags an epoch behind: epoch 0 runs at `FIRST`, epoch e at f(e - 1), where f rises from
    `FIRST` to the peak in `warmup` epochs and is `LAST + (peak - LAST) * (1 + cos(pi * t /
    epochs)) / 2` from then on, not shifted by the warm-up, so that the peak is never reached.

    Args: epoch_steps: steps an epoch, no whole number perhaps. epochs: of the run.
    """

    FIRST, LAST = 1e-6, 1e-5

    def __init__(self, peak: float, epoch_steps: float, epochs: float, warmup: int):
        self.peak, self.epoch_steps, self.epochs, self.warmup = peak, epoch_steps, epochs, warmup

    def __call__(self, step):
        # in double precision: an epoch must not begin a step late
        epoch = tf.floor(tf.cast(step, tf.float64) / self.epoch_steps)
        t = tf.cast(tf.maximum(epoch - 1, 0), tf.float32)
        wave = 1 + tf.cos(math.pi * t / self.epochs)
        rate = self.LAST + 0.5 * (self.peak - self.LAST) * wave
        rising = self.FIRST + t * (self.peak - self.FIRST) / max(self.warmup, 1)
        return tf.where(t < self.warmup, rising, rate)

    def get_config(self):
        names = ("peak", "epoch_steps", "epochs", "warmup")
        return {name: getattr(self, name) for name in names}


class AdamW(tf_keras.optimizers.Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter) as PyTorch computes it: epsilon is
    added to the root of the corrected second moment, and `weight_decay_ratio` times the plain rate
    of each weight is taken off. What has one axis, biases and layer norms, does not decay.
    """

    def __init__(self, learning_rate, weight_decay_ratio: float = 0.0, name="AdamW", **kwargs):
        epsilon = kwargs.pop("epsilon", 1e-8)
        super().__init__(learning_rate, epsilon=epsilon, name=name, jit_compile=False, **kwargs)
        self.weight_decay_ratio = weight_decay_ratio

    def update_step(self, gradient, variable):
        rate = tf.cast(self.learning_rate, variable.dtype)
        if self.weight_decay_ratio and len(variable.shape) > 1:
            variable.assign_sub(variable * (rate * self.weight_decay_ratio))
        # What is added to the root of the second moment grows as that is uncorrected here.
        update = tf.cast(self.iterations + 1, variable.dtype)
        correction = tf.sqrt(1 - tf.pow(tf.cast(self.beta_2, variable.dtype), update))
        apply_adam(self, gradient, variable, rate, update, self.epsilon * correction)

    def get_config(self):
        return {**super().get_config(), "weight_decay_ratio": self.weight_decay_ratio}


def apply_adam(optimizer, gradient, variable, rate, update, epsilon) -> None:
    """Adam's update of a variable and its two moments in one pass over memory; written with
    TensorFlow's operations it takes many.

    Args: optimizer: a tf_keras Adam. gradient: dense. rate: before it is corrected for the moments'
      start at 0. update: float scalar, 1 for the first. epsilon: added to the root of the second
      moment, which is not corrected.
    """
    dtype = variable.dtype
    place = optimizer._index_dict[optimizer._var_key(variable)]
    beta_1, beta_2 = (tf.cast(beta, dtype) for beta in (optimizer.beta_1, optimizer.beta_2))
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[place].handle,
        v=optimizer._velocities[place].handle,
        beta1_power=tf.pow(beta_1, update),
        beta2_power=tf.pow(beta_2, update),
        lr=rate,
        beta1=beta_1,
        beta2=beta_2,
        epsilon=tf.cast(epsilon, dtype),
        grad=gradient,
    )


def train_steps(num_examples: int, num_epochs: float, global_batch: int) -> int:
    """Number of updates as the original counts them: int(examples * epochs / batch) + 1."""
    return int(num_examples * num_epochs / global_batch) + 1
