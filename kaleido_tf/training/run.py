"""A training run: builds, trains, evaluates, saves and resumes any model with an objective on any
source of examples.
"""

import contextlib
import os
import pathlib
from collections.abc import Callable
from typing import Protocol

import numpy as np
import orbit
import tensorflow as tf
import tf_keras
from absl import logging

from kaleido_tf.errors import InputError, input_errors_as_themselves
from kaleido_tf.training.checkpoints import DAMAGED, Checkpoint, CheckpointManager
from kaleido_tf.training.metrics_log import MetricsLog
from kaleido_tf.training.run_config import RunConfig
from kaleido_tf.training.schedule import make_optimizer, multiply_rates, plan
from kaleido_tf.training.served_data import lost_examples_as_input_errors, through_service
from kaleido_tf.training.strategy import set_precision
from kaleido_tf.training.trainer import LOSS_SUFFIX, Evaluator, Trainable, Trainer
from kaleido_tf.training.worker_strategy import (
    agree,
    distributed,
    lost_workers_as_input_errors,
    make_training_strategy,
    take_over_from_chief,
)

METRICS_NAME = "metrics.jsonl"


class Examples(Protocol):
    """Where a run's examples come from: records (data/pipeline.py) or rows of the original
    (compat/rows/row_examples.py).
    """

    def __len__(self) -> int:
        """Examples an epoch."""

    digest: int
    """A number that says which examples these are."""

    def describe(self) -> str:
        """How many of what, in a few words."""

    def notes(self) -> list[str]:
        """What somebody who starts a run on these should know."""

    def training_batches(
        self, batch_size: int, start: int = 0, part: tuple[int, int] = (0, 1)
    ) -> tf.data.Dataset:
        """Endless batches of the model's training inputs, from example `start` on; or of each the
        part (index, how many) that one of several workers computes.
        """

    def evaluation_batches(
        self, batch_size: int, part: tuple[int, int] = (0, 1)
    ) -> tf.data.Dataset:
        """One pass; the last batch may be smaller. Of a part as many batches as of every other,
        empty perhaps.
        """

    def sample_features(self, count: int) -> np.ndarray:
        """Features [n, P, F] of at most `count` images."""


def train(
    run: RunConfig,
    build: Callable[[], Trainable],
    train_data: Examples,
    eval_data: Examples | None,
    initialize: Callable[[Trainable, tf.distribute.Strategy], None],
) -> tuple[Trainable, dict[str, float]]:
    """Trains (and evaluates) as `run` says, going on from the last checkpoint in `run.model_dir` if
    there is one.

    Args:
      build: makes the model; called in the strategy's scope, after precision and seed are set.
      eval_data: None does not evaluate.
      initialize: (model, strategy) fills a new model's weights; not called when a run is resumed.
    Returns: (model, figures of the last evaluation or {}).
    Raises: InputError for anything the user can mend, before the model is built where possible.
    """
    strategy = _prepare(run, train_data, eval_data)
    train_data = through_service(train_data, run.data_service)
    eval_data = through_service(eval_data, run.data_service)
    global_batch = run.train_batch_size * strategy.num_replicas_in_sync
    schedule = plan(run, len(train_data), global_batch)
    with strategy.scope():
        model = build()
        optimizer = make_optimizer(run, schedule)
        optimizer.build(model.trainable_variables)
        multiply_rates(optimizer, model.fast_variables, run)
    trainer = Trainer(
        model,
        optimizer,
        strategy,
        global_batch=global_batch,
        log_steps=run.log_steps,
        last_step=schedule.total,
        clip_norm=run.clip_norm,
        accumulate_steps=run.accumulate_steps,
        xla=run.device.xla,
        seed=run.seed,
    )
    digest = train_data.digest
    trainer.data_digest.assign(digest)

    def begin():
        initialize(model, strategy)
        take_over_from_chief(strategy, run.device, model.variables)

    manager = _checkpoint_manager(run, trainer, schedule, begin)
    evaluator = _evaluator(run, model, strategy, eval_data) if eval_data is not None else None
    controller = _make_controller(run, trainer, evaluator, strategy, manager, schedule)
    _check_data(run, trainer, digest)
    start = int(trainer.global_step.numpy())
    trainer.train_dataset = distributed(
        strategy,
        run.device,
        lambda part: train_data.training_batches(global_batch, start * global_batch, part),
    )
    _report_start(train_data, model, schedule, start, global_batch)
    logging.info("run: %s", run)
    log = MetricsLog(pathlib.Path(run.model_dir) / METRICS_NAME, start)
    _log_into(log, controller, trainer)
    with _errors_of_a_run(run):
        if not start:
            # as the original; and a start may have been costly
            manager.save(checkpoint_number=0, check_interval=False)
        return model, _train_and_evaluate(controller, trainer, schedule, log, evaluator is not None)


def evaluate(
    run: RunConfig,
    build: Callable[[], Trainable],
    data: Examples,
    load: Callable[[Trainable], None],
) -> dict[str, float]:
    """Losses and accuracies on `data` of a model whose weights `load` fills; the same draws as
    during training.
    """
    strategy = _prepare(run, data)
    data = through_service(data, run.data_service)
    with strategy.scope():
        model = build()
        _ = model.trainable_variables  # what is to be filled is made in the strategy's scope
        load(model)
    with _errors_of_a_run(run):
        figures = _evaluator(run, model, strategy, data).evaluate(tf.constant(-1))
    return {name: float(value) for name, value in figures.items()}


def _prepare(run: RunConfig, *data: Examples | None) -> tf.distribute.Strategy:
    strategy = make_training_strategy(run.device)
    found = [each and f"{len(each)} (number {each.digest})" for each in data]
    agree(run.device.cluster, {"examples": ", ".join(filter(None, found))})
    set_precision(run.device.precision)
    tf_keras.utils.set_random_seed(run.seed)
    return strategy


def _evaluator(run, model, strategy, data) -> Evaluator:
    batch = run.eval_batch_size * strategy.num_replicas_in_sync
    batches = distributed(strategy, run.device, lambda part: data.evaluation_batches(batch, part))
    return Evaluator(model, strategy, batches)


def _check_data(run: RunConfig, trainer: Trainer, digest: int) -> None:
    """After a checkpoint was restored: other data would make its step number, and so its order and
    schedule, wrong.
    """
    if int(trainer.data_digest.numpy()) != digest:
        raise InputError(
            f"--model_dir={run.model_dir} holds a run on other data than --train_input_fp names now"
            " (other images or texts). Use another --model_dir, and"
            " --pretrain_model_name_or_path to start from its weights"
        )


def _checkpoint_manager(run, trainer, schedule, initialize) -> CheckpointManager:
    checkpoint = Checkpoint(
        model=trainer.model,
        optimizer=trainer.optimizer,
        means=trainer.means,
        step=trainer.global_step,
        data=trainer.data_digest,
    )
    os.makedirs(run.model_dir, exist_ok=True)
    writes = run.device.cluster is None or run.device.cluster.is_chief
    return CheckpointManager(
        checkpoint,
        run.model_dir,
        max_to_keep=run.keep_checkpoints if writes else 1,
        checkpoint_name="model.ckpt",
        step_counter=trainer.global_step,
        checkpoint_interval=schedule.save,
        init_fn=initialize,
    )


def _make_controller(run, trainer, evaluator, strategy, manager, schedule) -> orbit.Controller:
    """Orbit's controller restores the last checkpoint here, if there is one."""
    try:
        return orbit.Controller(
            global_step=trainer.global_step,
            trainer=trainer,
            evaluator=evaluator,
            strategy=strategy,
            steps_per_loop=schedule.next_stop,
            checkpoint_manager=manager,
            summary_dir=os.path.join(run.model_dir, "train"),
            eval_summary_dir=os.path.join(run.model_dir, "eval"),
        )
    except DAMAGED as error:
        # of the start, not of a checkpoint
        if isinstance(error, InputError) or manager.latest_checkpoint is None:
            raise
        if isinstance(error, IndexError):
            older = (
                ", ".join(os.path.basename(path) for path in manager.checkpoints[:-1][-3:])
                or "none"
            )
            raise InputError(
                f"{manager.latest_checkpoint} is damaged: its data are cut short. Older ones there:"
                f" {older}. Delete the files of the damaged one and name the last whole one in the"
                " file `checkpoint` to go on from there"
            ) from error
        raise InputError(
            f"--model_dir={run.model_dir} holds a checkpoint that does not fit this run"
            f" ({str(error)[:300]}). Use another --model_dir or the settings in its flags.cfg"
        ) from error


def _log_into(log: MetricsLog, controller, trainer) -> None:
    def write(kind):
        return lambda values: values and log.write(kind, int(trainer.global_step.numpy()), values)

    controller.train_actions = (write("train"),)
    controller.eval_actions = (write("eval"),)


@contextlib.contextmanager
def _errors_of_a_run(run: RunConfig):
    """Bad data met on the way, a worker that is lost, and a checkpoint or a line of metrics that
    finds no room, end the run with a message; what was saved before stays whole.
    """
    try:
        with (
            input_errors_as_themselves(),
            lost_workers_as_input_errors(run.device.cluster),
            lost_examples_as_input_errors(run.data_service),
        ):
            yield
    except (OSError, tf.errors.OpError) as error:
        if "No space left" not in str(error):
            raise
        raise InputError(
            f"--model_dir={run.model_dir} has no room left ({str(error)[:200]}). Free some and"
            " start the same command again: the run goes on from its last checkpoint"
        ) from error


def _train_and_evaluate(controller, trainer, schedule, log, evaluates) -> dict:
    """Alternates training and evaluation at fixed step numbers, wherever the run started."""
    figures, step = {}, int(trainer.global_step.numpy())
    if evaluates and step in schedule.evaluations and not log.has("eval", step):
        figures = controller.evaluate()  # the run was stopped between this step and its evaluation
    while step < schedule.total:
        step = schedule.next_evaluation(step)
        controller.train(step, checkpoint_at_completion=step == schedule.total)
        if evaluates:
            figures = controller.evaluate()
    if evaluates and not figures:  # the run was complete already
        figures = log.last("eval")
    return {name: float(value) for name, value in figures.items() if value is not None}


def _report_start(data, model, schedule, start, global_batch) -> None:
    parameters = sum(int(tf.size(variable)) for variable in model.trainable_variables)
    losses = ", ".join(name.removesuffix(LOSS_SUFFIX) for name in model.loss_names)
    print(
        f"{data.describe()}, {parameters / 1e6:.1f} M parameters, tasks: {losses}; {schedule.total}"
        f" steps of {global_batch} examples" + (f", going on from step {start}" if start else "")
    )
    for note in data.notes():
        print(note)
