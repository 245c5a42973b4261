"""What a run does at which step, and the optimizer that follows from it."""

import bisect
import dataclasses
import math
from collections.abc import Sequence

import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.training.optimizer import (
    AdamW,
    BertAdam,
    EpochCosine,
    WarmupLinearDecay,
    train_steps,
)
from kaleido_tf.training.run_config import RunConfig
from kaleido_tf.training.transformers_adamw import MultiStep, TransformersAdamW

OPTIMIZERS = {"bert_adam": BertAdam, "adamw": AdamW, "transformers_adamw": TransformersAdamW}
"""By what --optimizer calls them."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Step numbers of a run.

    Attributes:
      total: the last step. save, log: a checkpoint and a report every so many steps.
      evaluations: the steps after which the model is evaluated, rising; the last is `total`.
      epoch: steps an epoch, no whole number perhaps.
    """

    total: int
    save: int
    log: int
    evaluations: tuple[int, ...]
    epoch: float

    def next_stop(self, step: int) -> int:
        """Steps from `step` to the next report, save, evaluation or the end."""
        stops = [step // every * every + every for every in (self.save, self.log)]
        return max(min(*stops, self.next_evaluation(step)) - step, 1)

    def next_evaluation(self, step: int) -> int:
        """The first evaluation after `step`; at the end, the end."""
        place = bisect.bisect_right(self.evaluations, step)
        return self.evaluations[min(place, len(self.evaluations) - 1)]


def plan(run: RunConfig, examples: int, global_batch: int) -> Schedule:
    """Updates as the original counts them; saves once an epoch and evaluates then unless told
    otherwise.
    """
    total = train_steps(examples, run.num_epochs, global_batch)
    if run.eval_steps:
        steps = range(run.eval_steps, total, run.eval_steps)
    else:
        # The end of a whole epoch is rarely a whole number of steps: each is rounded by itself, so
        # that they do not drift, and the last one is the end of the run.
        count = math.ceil(run.num_epochs / run.eval_epochs) - 1
        epochs = (number * run.eval_epochs for number in range(1, count + 1))
        steps = (math.ceil(epoch * examples / global_batch) for epoch in epochs)
    evaluations = sorted({step for step in steps if 0 < step < total} | {total})
    save = run.save_steps or max(examples // global_batch, 1)
    return Schedule(total, save, run.log_steps, tuple(evaluations), examples / global_batch)


def make_optimizer(run: RunConfig, schedule: Schedule) -> tf_keras.optimizers.Optimizer:
    """The optimizer and schedule that the run names; with a loss scale for float16.

    Raises: InputError if the run ends before its warm-up does.
    """
    rates = {"linear": _linear, "epoch_cosine": _epoch_cosine, "multi_step": _multi_step}
    rate = rates[run.schedule](run, schedule)
    optimizer = OPTIMIZERS[run.optimizer](rate, run.weight_decay_ratio)
    if run.device.precision == "float16":
        return tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def multiply_rates(optimizer, variables: Sequence[tf.Variable], run: RunConfig) -> None:
    """Lets those variables of a model that are to move faster do so, as --rate_multiplier says.

    Args: optimizer: as `make_optimizer`, built.
    Raises: InputError where the model has none, or the optimizer cannot.
    """
    if run.rate_multiplier == 1:
        return
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not variables or not isinstance(inner, TransformersAdamW):
        raise InputError(
            "--rate_multiplier needs --optimizer=transformers_adamw and a model of type"
            f" fashion_vil. Received: --optimizer={run.optimizer}"
            + ("" if variables else " and a model without parts that are to move faster")
        )
    inner.multiply_rates(variables, run.rate_multiplier)


def _linear(run: RunConfig, schedule: Schedule) -> WarmupLinearDecay:
    return WarmupLinearDecay(run.learning_rate, schedule.total, _warmup(run, schedule))


def _multi_step(run: RunConfig, schedule: Schedule) -> MultiStep:
    drops = tuple(int(share * schedule.total) for share in run.rate_drops)
    return MultiStep(run.learning_rate, _warmup(run, schedule), drops)


def _warmup(run: RunConfig, schedule: Schedule) -> int:
    """Steps over which the rate rises."""
    steps = schedule.total
    warmup = int(run.warmup_ratio * steps) if run.warmup_steps is None else run.warmup_steps
    if warmup >= steps:
        raise InputError(
            f"The warm-up must end before the run, which has {steps} steps. Received:"
            f" --warmup_steps={warmup}"
        )
    return warmup


def _epoch_cosine(run: RunConfig, schedule: Schedule) -> EpochCosine:
    if run.warmup_steps is not None:
        raise InputError(
            "--schedule=epoch_cosine warms up in whole epochs, the --warmup_ratio of all. Received:"
            f" --warmup_steps={run.warmup_steps}"
        )
    warmup = round(run.warmup_ratio * run.num_epochs)
    last = max(math.ceil(run.num_epochs) - 2, 0)  # the rates lag an epoch behind
    if last < warmup:
        raise InputError(
            "The warm-up of --schedule=epoch_cosine, whole epochs and one more, must end before the"
            f" run. Received: --warmup_ratio={run.warmup_ratio:g}, which is {warmup} of"
            f" {run.num_epochs:g} epochs"
        )
    return EpochCosine(run.learning_rate, schedule.epoch, run.num_epochs, warmup)
