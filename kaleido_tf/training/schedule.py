"""What a run does at which step, and the optimizer that follows from it."""

import dataclasses
import math

import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.training.optimizer import BertAdam, WarmupLinearDecay, train_steps
from kaleido_tf.training.run_config import RunConfig


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Step numbers of a run: its end, and every how many steps it saves, evaluates and reports."""

    total: int
    save: int
    evaluate: int
    log: int

    def next_stop(self, step: int) -> int:
        """Steps from `step` to the next report, save, evaluation or the end."""
        stops = [
            self.total,
            *(step // every * every + every for every in (self.save, self.evaluate, self.log)),
        ]
        return max(min(stops) - step, 1)


def plan(run: RunConfig, examples: int, global_batch: int) -> Schedule:
    """Updates as the original counts them; saves once an epoch and evaluates then unless told
    otherwise.
    """
    epoch = max(examples // global_batch, 1)
    evaluate = run.eval_steps or max(math.ceil(run.eval_epochs * epoch), 1)
    return Schedule(
        train_steps(examples, run.num_epochs, global_batch),
        run.save_steps or epoch,
        evaluate,
        run.log_steps,
    )


def make_optimizer(run: RunConfig, steps: int) -> tf_keras.optimizers.Optimizer:
    """The original's Adam with its schedule over `steps`; with a loss scale for float16.

    Raises: InputError if the run ends before its warm-up does.
    """
    warmup = int(run.warmup_ratio * steps) if run.warmup_steps is None else run.warmup_steps
    if warmup >= steps:
        raise InputError(
            f"The warm-up must end before the run, which has {steps} steps. Received:"
            f" --warmup_steps={warmup}"
        )
    rate = WarmupLinearDecay(run.learning_rate, steps, warmup)
    optimizer = BertAdam(rate, run.weight_decay_ratio)
    return (
        tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
        if run.precision == "float16"
        else optimizer
    )
