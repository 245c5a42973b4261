"""FashionViL's optimizer and schedule: the AdamW of transformers before 4.11, and a rate that falls
to a tenth at given steps.
"""

import tensorflow as tf
import tf_keras

from kaleido_tf.training.optimizer import EXCLUDED_FROM_DECAY, apply_adam


class MultiStep(tf_keras.optimizers.schedules.LearningRateSchedule):
    """The peak, times `FIRST` at the first update and rising to 1 at update `warmup`, and times
    0.1 for each of `drops` (numbers of updates) that are made.

    As in the release, drops within the warm-up count only after it.
    """

    FIRST = 0.25

    def __init__(self, peak: float, warmup: int, drops: tuple[int, ...]):
        self.peak, self.warmup, self.drops = peak, warmup, tuple(drops)

    def __call__(self, step):
        done = tf.cast(step, tf.float32)
        made = sum(tf.cast(done >= drop, tf.float32) for drop in self.drops)
        rate = self.peak * tf.pow(0.1, made)
        if not self.warmup:
            return rate
        share = done / self.warmup
        return tf.where(share <= 1, self.peak * (self.FIRST * (1 - share) + share), rate)

    def get_config(self):
        return {"peak": self.peak, "warmup": self.warmup, "drops": self.drops}


class TransformersAdamW(tf_keras.optimizers.Adam):
    """Adam whose epsilon is added to the root of the uncorrected second moment; after it
    `weight_decay_ratio` times the rate of each weight, as it is then, is taken off, except of
    layer norms and biases (`EXCLUDED_FROM_DECAY`).

    A variable that no step has reached yet stays as it is, and its steps are counted from the first
    one that does; from then on it moves by its moments in the steps of other tasks, too. So it is
    in the release, whose PyTorch sets gradients to 0 between steps instead of dropping them.
    """

    def __init__(
        self, learning_rate, weight_decay_ratio: float = 0.0, name="TransformersAdamW", **kwargs
    ):
        epsilon = kwargs.pop("epsilon", 1e-8)
        super().__init__(learning_rate, epsilon=epsilon, name=name, jit_compile=False, **kwargs)
        self.weight_decay_ratio = weight_decay_ratio
        self._multipliers: dict[str, float] = {}

    def build(self, var_list):
        super().build(var_list)
        if not hasattr(self, "_steps"):
            self._steps = [
                self.add_variable_from_reference(variable, "steps", shape=[])
                for variable in var_list
            ]

    def multiply_rates(self, variables, multiplier: float) -> None:
        """Lets these variables, of those it was built for, move at `multiplier` times the rate."""
        self._multipliers = {self._var_key(variable): multiplier for variable in variables}

    @staticmethod
    def decays(variable) -> bool:
        """Whether a variable decays at all, by its name."""
        return not any(part in variable.name for part in EXCLUDED_FROM_DECAY)

    def update_step(self, gradient, variable):
        steps = self._steps[self._index_dict[self._var_key(variable)]]
        # Squares below what float32 holds count as none. A condition, which would spare later steps
        # this sum, takes two traced functions a variable.
        reached = tf.logical_or(steps > 0, tf.nn.l2_loss(gradient) > 0)
        steps.assign_add(tf.cast(reached, steps.dtype))
        multiplier = self._multipliers.get(self._var_key(variable), 1.0)
        rate = tf.cast(self.learning_rate, variable.dtype) * multiplier
        apply_adam(self, gradient, variable, rate, tf.maximum(steps, 1), self.epsilon)
        if self.weight_decay_ratio and self.decays(variable):
            decay = rate * self.weight_decay_ratio * tf.cast(reached, variable.dtype)
            variable.assign_sub(variable * decay)

    def get_config(self):
        return {**super().get_config(), "weight_decay_ratio": self.weight_decay_ratio}
