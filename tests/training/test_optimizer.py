"""The original's optimizer, followed step by step on its own trajectory
(tests/golden/optimizer).
"""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_config
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.training.optimizer import BertAdam, WarmupLinearDecay
from kaleido_tf.training.run_config import RunConfig
from kaleido_tf.training.schedule import Schedule, make_optimizer, plan
from kaleido_tf.training.trainer import Trainer
from tests.golden_batches import pretraining_batch
from tests.golden_files import checkpoint_in, columns, kaleido_bert, models_in, read_json

RUNS = models_in("optimizer", "trajectory.npz")


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_recorded_steps_of_the_original(folder):
    """The run's own trainer, schedule and optimizer, on the original's batches in their order."""
    meta = read_json(folder / "meta.json")
    trajectory = np.load(folder / "trajectory.npz")
    run = RunConfig(
        train_batch_size=meta["batch_size"],
        num_epochs=meta["num_epochs"],
        learning_rate=meta["learning_rate"],
        weight_decay_ratio=meta["weight_decay_ratio"],
        warmup_ratio=meta["warmup_ratio"],
        clip_norm=meta["clip_norm"],
    )
    schedule = plan(run, meta["num_examples"], meta["batch_size"])
    assert (schedule.total, schedule.save) == (meta["train_steps"], meta["save_steps"])
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        model = KaleidoBert(read_config(folder / "config.json"))
        optimizer = make_optimizer(run, schedule)
        optimizer.build(model.trainable_variables)
    load_weights(model, checkpoint_in(kaleido_bert()))
    batches = (
        tf.data.Dataset.from_tensor_slices(
            pretraining_batch(columns("kaleidobert_pretrain"), model.config.patch_feature_size)
        )
        .batch(meta["batch_size"])
        .repeat()
    )
    trainer = Trainer(
        model,
        optimizer,
        strategy,
        global_batch=meta["batch_size"],
        log_steps=1,
        last_step=schedule.total,
        clip_norm=run.clip_norm,
    )
    trainer.train_dataset = strategy.experimental_distribute_dataset(batches)
    entries = original_variables(model)
    history = [name.removeprefix("history/") for name in trajectory if name.startswith("history/")]
    assert history
    for step in range(meta["recorded_steps"]):
        report = trainer.train(tf.constant(1))
        np.testing.assert_allclose(
            report["learning_rate"], trajectory["learning_rate"][step], rtol=1e-6
        )
        np.testing.assert_allclose(report["loss"], trajectory["total_loss"][step], rtol=2e-5)
        np.testing.assert_allclose(
            report["gradient_norm"], trajectory["global_norm_before_clip"][step], rtol=1e-5
        )
        for name in history:
            after = entries[name].to_original(entries[name].variable.numpy())
            np.testing.assert_allclose(after, trajectory[f"history/{name}"][step], atol=2e-6)
    final = np.load(folder / "final_weights.npz")
    for name, entry in entries.items():
        np.testing.assert_allclose(
            entry.to_original(entry.variable.numpy()), final[name], atol=2e-6, err_msg=name
        )


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_full_schedule_of_the_original(folder):
    meta, trajectory = read_json(folder / "meta.json"), np.load(folder / "trajectory.npz")
    if "full_lr_schedule" not in trajectory:
        trajectory = {"full_lr_schedule": trajectory["learning_rate"]}
    steps = meta["train_steps"]
    rate = WarmupLinearDecay(meta["learning_rate"], steps, int(meta["warmup_ratio"] * steps))
    for step, expected in enumerate(trajectory["full_lr_schedule"]):
        np.testing.assert_allclose(rate(step), expected, rtol=1e-6, atol=1e-12)


def test_first_update_has_rate_zero_and_the_end_has_too():
    rate = WarmupLinearDecay(0.5, 10, 4)
    assert float(rate(0)) == 0.0
    assert float(rate(2)) == pytest.approx(0.5 * 0.8 * 0.5)
    assert float(rate(10)) == float(rate(99)) == 0.0
    assert float(WarmupLinearDecay(0.5, 10, 0)(0)) == 0.5


def ends_at(step):
    return Schedule(total=step, save=1, log=1, evaluations=(step,), epoch=2.5)


def test_warm_up_may_be_a_number_of_steps():
    run = RunConfig(learning_rate=0.5, warmup_steps=4)
    rate = make_optimizer(run, ends_at(10))._learning_rate
    assert float(rate(2)) == pytest.approx(0.5 * 0.8 * 0.5)
    with pytest.raises(
        InputError, match="must end before the run, which has 4 steps. Received: --warmup_steps=4"
    ):
        make_optimizer(run, ends_at(4))


def test_decay_spares_layer_norms_and_biases():
    names = ("dense/kernel", "layer_norm/gamma", "dense/bias")
    variables = [tf.Variable([2.0], name=name) for name in names]
    optimizer = BertAdam(0.1, weight_decay_ratio=0.5)
    optimizer.apply_gradients([(tf.constant([0.0]), variable) for variable in variables])
    corrected = 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9)
    np.testing.assert_allclose(
        [v.numpy()[0] for v in variables], [2 - corrected * 0.5 * 2, 2.0, 2.0], rtol=1e-6
    )
