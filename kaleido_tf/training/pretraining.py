"""A pre-training run from records to checkpoints: reads, builds, trains, evaluates, resumes."""

import contextlib
import dataclasses
import hashlib
import math
import os
import pathlib
from collections.abc import Callable

import numpy as np
import orbit
import tensorflow as tf
import tf_keras
from absl import logging

from kaleido_tf.config import KaleidoBertConfig, RunConfig
from kaleido_tf.data.masking import MaskingConfig
from kaleido_tf.data.pipeline import PipelineConfig, evaluation_batches, training_batches
from kaleido_tf.data.record_table import RecordTable, find_files, read_images, read_record_table
from kaleido_tf.data.sampling import ExampleOrder
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.metrics_log import MetricsLog
from kaleido_tf.training.new_model import start_from_nothing
from kaleido_tf.training.optimizer import BertAdam, WarmupLinearDecay, train_steps
from kaleido_tf.training.strategy import make_strategy, set_precision
from kaleido_tf.training.trainer import Evaluator, Trainer

METRICS_NAME = "metrics.jsonl"
MEASURED_RECORDS = 1000


@dataclasses.dataclass(frozen=True)
class _Schedule:
    """Step numbers of a run."""

    total: int
    save: int
    evaluate: int
    log: int

    def next_stop(self, step: int) -> int:
        """Steps from `step` to the next report, save, evaluation or the end."""
        stops = [self.total, *(step // every * every + every for every in (self.save, self.evaluate, self.log))]
        return max(min(stops) - step, 1)


def pretrain(run: RunConfig, config: KaleidoBertConfig, evaluates: bool = True,
             initialize: Callable[[tf.Module], None] | None = None):
    """Trains (and evaluates) as `run` says, going on from the last checkpoint in `run.model_dir` if there is one.

    Args: initialize: fills a new model's weights, for a start from a checkpoint; not called when a run is resumed.
    Returns: (model, figures of the last evaluation or {}).
    Raises: InputError for anything the user can mend, before the model is built where possible.
    """
    vocabulary = Vocabulary(run.vocabulary)
    check_model(run.text_length, config, vocabulary)
    train_table = _read(run.train_input_fp, vocabulary, run, config)
    eval_table = _read(run.eval_input_fp, vocabulary, run, config) if evaluates else None
    strategy = make_strategy(run.worker_gpus, run.cpu_replicas)
    set_precision(run.precision)
    tf_keras.utils.set_random_seed(run.seed)
    global_batch = run.train_batch_size * strategy.num_replicas_in_sync
    schedule = _plan(run, len(train_table), global_batch)
    with strategy.scope():
        model = FAMILIES[config.model_type].build(config, run.kaleido_tasks, run.text_length)
        optimizer = _make_optimizer(run, schedule.total)
        optimizer.build(model.trainable_variables)
    pipeline = _pipeline_config(run, config)
    trainer = Trainer(
        model, optimizer, strategy, None, global_batch=global_batch, log_steps=run.log_steps, last_step=schedule.total,
        clip_norm=run.clip_norm, xla=run.xla, loss_weights={"next_sentence_loss": run.matching_weight}, seed=run.seed,
    )
    trainer.data_digest.assign(_digest(train_table))
    manager = _checkpoint_manager(run, trainer, schedule, lambda: _start(run, model, train_table, strategy, initialize))
    evaluator = None
    if evaluates:
        batches = evaluation_batches(eval_table, vocabulary, pipeline, run.eval_batch_size * strategy.num_replicas_in_sync)
        evaluator = Evaluator(model, strategy, strategy.experimental_distribute_dataset(batches), trainer.loss_weights)
    controller = _make_controller(run, trainer, evaluator, strategy, manager, schedule)
    _check_data(trainer, train_table, run)
    start = int(trainer.global_step.numpy())
    trainer.train_dataset = strategy.experimental_distribute_dataset(
        training_batches(train_table, vocabulary, pipeline, global_batch, start=start * global_batch)
    )
    _report_start(run, train_table, pipeline, model, schedule, start, global_batch)
    log = MetricsLog(pathlib.Path(run.model_dir) / METRICS_NAME, start)
    _log_into(log, controller, trainer)
    with _told_when_disk_is_full(run.model_dir):
        return model, _train_and_evaluate(controller, trainer, schedule, log, evaluates)


def evaluate_model(run: RunConfig, config: KaleidoBertConfig, load: Callable[[tf.Module], None]) -> dict[str, float]:
    """Losses and accuracies of a model, filled by `load`, on `run.eval_input_fp`; same draws as during training."""
    vocabulary = Vocabulary(run.vocabulary)
    check_model(run.text_length, config, vocabulary)
    table = _read(run.eval_input_fp, vocabulary, run, config)
    strategy = make_strategy(run.worker_gpus, run.cpu_replicas)
    set_precision(run.precision)
    with strategy.scope():
        model = FAMILIES[config.model_type].build(config, run.kaleido_tasks, run.text_length)
        load(model)
    batches = evaluation_batches(
        table, vocabulary, _pipeline_config(run, config), run.eval_batch_size * strategy.num_replicas_in_sync
    )
    weights = {"next_sentence_loss": run.matching_weight}
    evaluator = Evaluator(model, strategy, strategy.experimental_distribute_dataset(batches), weights)
    return {name: float(value) for name, value in evaluator.evaluate(tf.constant(-1)).items()}


def check_model(text_length: int, config: KaleidoBertConfig, vocabulary: Vocabulary) -> None:
    """Refuses what would fail, or compute nonsense, only after the data has been read."""
    if text_length > config.max_position_embeddings:
        raise InputError(
            f"The text must not be longer than `max_position_embeddings`={config.max_position_embeddings}. Received: "
            f"--input_sequence_length={text_length}"
        )
    if config.vocab_size != len(vocabulary):
        raise InputError(
            f"The embedding has `vocab_size`={config.vocab_size} rows; the vocabulary {vocabulary.path} has "
            f"{len(vocabulary)} tokens. They must agree"
        )


def _read(pattern, vocabulary, run, config) -> RecordTable:
    return read_record_table(find_files(pattern), vocabulary, run.text_length, config.patch_feature_size)


def _start(run, model, table, strategy, initialize) -> None:
    """The weights of a run that is not resumed: those of a checkpoint, or new ones."""
    if initialize is not None:
        if run.contrastive_epochs:
            print("--contrastive_epochs is for new models: this one starts from its checkpoint as it is")
        return initialize(model)
    if model.normalises_features:
        model.measure_features(_sample_features(table))
    if run.contrastive_epochs:
        start_from_nothing(model, table, strategy, run.contrastive_epochs, run.seed)
    return None


def _sample_features(table: RecordTable) -> np.ndarray:
    """Features [n, 55, F] of records spread evenly over all shards, to measure their size on."""
    chosen = np.unique(np.linspace(0, len(table) - 1, MEASURED_RECORDS).astype(int))
    return read_images(table, chosen)[1].astype(np.float32)


def _digest(table: RecordTable) -> int:
    """A number that says which images and texts a run is trained on, wherever their files lie."""
    digest = hashlib.sha256(table.sequences[table.texts].tobytes())
    digest.update("\n".join(table.image_ids).encode())
    return int.from_bytes(digest.digest()[:8], "big", signed=True)


def _check_data(trainer: Trainer, table: RecordTable, run: RunConfig) -> None:
    """After a checkpoint was restored: other data would make its step number, and so its order and schedule, wrong."""
    if int(trainer.data_digest.numpy()) != _digest(table):
        raise InputError(
            f"--model_dir={run.model_dir} holds a run on other data than --train_input_fp={run.train_input_fp} (other images or "
            "texts). Use another --model_dir, and --pretrain_model_name_or_path to start from its weights"
        )


def _plan(run: RunConfig, examples: int, global_batch: int) -> _Schedule:
    """Updates as the original counts them; saves once an epoch and evaluates then unless told otherwise."""
    epoch = max(examples // global_batch, 1)
    evaluate = run.eval_steps or max(math.ceil(run.eval_epochs * epoch), 1)
    return _Schedule(train_steps(examples, run.num_epochs, global_batch), run.save_steps or epoch, evaluate, run.log_steps)


def _make_optimizer(run: RunConfig, steps: int):
    rate = WarmupLinearDecay(run.learning_rate, steps, int(run.warmup_ratio * steps))
    optimizer = BertAdam(rate, run.weight_decay_ratio)
    return tf_keras.mixed_precision.LossScaleOptimizer(optimizer) if run.precision == "float16" else optimizer


def _pipeline_config(run: RunConfig, config: KaleidoBertConfig) -> PipelineConfig:
    budgets = (1, config.masked_greymask_patch_num, config.masked_blankmask_patch_num)
    masking = MaskingConfig(token_fraction=run.token_fraction, whole_words=run.whole_words, patch_budgets=budgets)
    return PipelineConfig(run.kaleido_tasks, masking, run.negatives, run.rise_epochs, run.seed)


def _checkpoint_manager(run, trainer, schedule, initialize) -> tf.train.CheckpointManager:
    checkpoint = tf.train.Checkpoint(model=trainer.model, optimizer=trainer.optimizer, means=trainer.means, step=trainer.global_step, data=trainer.data_digest)
    os.makedirs(run.model_dir, exist_ok=True)
    return tf.train.CheckpointManager(
        checkpoint, run.model_dir, max_to_keep=run.keep_checkpoints, checkpoint_name="model.ckpt",
        step_counter=trainer.global_step, checkpoint_interval=schedule.save,
        init_fn=initialize,
    )


def _make_controller(run, trainer, evaluator, strategy, manager, schedule) -> orbit.Controller:
    """Orbit's controller restores the last checkpoint here, if there is one."""
    try:
        return orbit.Controller(
            global_step=trainer.global_step, trainer=trainer, evaluator=evaluator, strategy=strategy,
            steps_per_loop=schedule.next_stop, checkpoint_manager=manager,
            summary_dir=os.path.join(run.model_dir, "train"), eval_summary_dir=os.path.join(run.model_dir, "eval"),
        )
    except (ValueError, tf.errors.OpError) as error:
        if isinstance(error, InputError) or manager.latest_checkpoint is None:  # of the start, not of a checkpoint
            raise
        raise InputError(
            f"--model_dir={run.model_dir} holds a checkpoint that does not fit this run ({str(error)[:300]}). Use another "
            "--model_dir or the settings in its flags.cfg"
        ) from error


def _log_into(log: MetricsLog, controller, trainer) -> None:
    def write(kind):
        return lambda values: values and log.write(kind, int(trainer.global_step.numpy()), values)

    controller.train_actions = (write("train"),)
    controller.eval_actions = (write("eval"),)


@contextlib.contextmanager
def _told_when_disk_is_full(folder: str):
    """A checkpoint or a line of metrics that finds no room ends the run with a message; what was saved before stays whole."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        if "No space left" not in str(error):
            raise
        raise InputError(
            f"--model_dir={folder} has no room left ({str(error)[:200]}). Free some and start the same command again: the run "
            "goes on from its last checkpoint"
        ) from error


def _train_and_evaluate(controller, trainer, schedule, log, evaluates) -> dict:
    """Alternates training and evaluation at fixed step numbers, wherever the run started."""
    figures, step = {}, int(trainer.global_step.numpy())
    if evaluates and 0 < step and (step % schedule.evaluate == 0 or step == schedule.total) and not log.has("eval", step):
        figures = controller.evaluate()  # the run was stopped between this step and its evaluation
    while step < schedule.total:
        step = min(step // schedule.evaluate * schedule.evaluate + schedule.evaluate, schedule.total)
        controller.train(step, checkpoint_at_completion=step == schedule.total)
        if evaluates:
            figures = controller.evaluate()
    if evaluates and not figures:  # the run was complete already
        figures = log.last("eval")
    return {name: float(value) for name, value in figures.items()}


def _report_start(run, table, pipeline, model, schedule, start, global_batch) -> None:
    parameters = sum(int(tf.size(variable)) for variable in model.trainable_variables)
    print(
        f"{len(table)} images in {len(table.files)} shards, {parameters / 1e6:.1f} M parameters, tasks: masked_lm, "
        f"next_sentence, {', '.join(model.tasks) or 'no kaleido task'}; {schedule.total} steps of {global_batch} examples"
        + (f", going on from step {start}" if start else "")
    )
    cut = int((table.lengths == table.sequences.shape[1]).sum())
    if cut:
        # What stands last in a text is often what tells two products apart.
        print(f"{cut} of {len(table.lengths)} texts fill all {run.text_length} places of --input_sequence_length or are cut off there")
    alone = ExampleOrder(table, run.seed, negatives=pipeline.negatives).alone
    if alone:
        print(f"{alone} images have no other text in their {pipeline.negatives}: they are always shown with their own")
    logging.info("run: %s", run)
