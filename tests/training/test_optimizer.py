"""The original's optimizer, followed step by step on its own trajectory (tests/golden/optimizer)."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.checkpoint_names import original_variables
from kaleido_tf.compat.original_weights import load_original_weights
from kaleido_tf.config import read_config
from kaleido_tf.models.kaleido_bert import KaleidoBert
from kaleido_tf.training.optimizer import BertAdam, WarmupLinearDecay, train_steps
from tests.golden_batches import pretraining_batch


@pytest.mark.parametrize("folder", ["adam_wd0", "adam_wd0p01"])
def test_twelve_steps_of_the_original(golden_dir, folder):
    folder = golden_dir / "optimizer" / folder
    meta = json.loads((folder / "meta.json").read_text())
    trajectory = np.load(folder / "trajectory.npz")
    model = KaleidoBert(read_config(folder / "config.json"))
    load_original_weights(model, str(golden_dir / "kaleidobert_tiny" / "ptv6" / "model.ckpt-1000"))
    steps = train_steps(meta["num_examples"], meta["num_epochs"], meta["batch_size"])
    assert steps == meta["train_steps"]
    rate = WarmupLinearDecay(meta["learning_rate"], steps, meta["warmup_steps"])
    optimizer = BertAdam(rate, meta["weight_decay_ratio"])
    optimizer.build(model.trainable_variables)

    @tf.function
    def update(batch):
        with tf.GradientTape() as tape:
            losses = model.pretrainer(batch, training=True)["losses"]
            total = tf.add_n([loss.mean() for loss in losses.values()])
        gradients, norm = tf.clip_by_global_norm(
            [tf.convert_to_tensor(g) for g in tape.gradient(total, model.trainable_variables)], meta["clip_norm"]
        )
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return total, norm

    columns = dict(np.load(golden_dir / "csv_bundle" / "kaleidobert_pretrain_decoded.npz"))
    entries = original_variables(model)
    history = [name.removeprefix("history/") for name in trajectory if name.startswith("history/")]
    assert len(history) == 3
    for step in range(meta["recorded_steps"]):
        start = step % (meta["num_examples"] // meta["batch_size"]) * meta["batch_size"]
        rows = {name: array[start : start + meta["batch_size"]] for name, array in columns.items()}
        np.testing.assert_allclose(rate(step), trajectory["learning_rate"][step], rtol=1e-6)
        total, norm = update(pretraining_batch(rows, model.config.patch_feature_size))
        np.testing.assert_allclose(total, trajectory["total_loss"][step], rtol=2e-5)
        np.testing.assert_allclose(norm, trajectory["global_norm_before_clip"][step], rtol=1e-5)
        for name in history:
            after = entries[name].to_original(entries[name].variable.numpy())
            np.testing.assert_allclose(after, trajectory[f"history/{name}"][step], atol=2e-6)
    final = np.load(folder / "final_weights.npz")
    for name, entry in entries.items():
        np.testing.assert_allclose(entry.to_original(entry.variable.numpy()), final[name], atol=2e-6, err_msg=name)


def test_full_schedule_of_the_original(golden_dir):
    trajectory = np.load(golden_dir / "optimizer" / "adam_wd0" / "trajectory.npz")
    rate = WarmupLinearDecay(1e-4, 31, 3)
    for step, expected in enumerate(trajectory["full_lr_schedule"]):
        np.testing.assert_allclose(rate(step), expected, rtol=1e-6, atol=1e-12)


def test_first_update_has_rate_zero_and_the_end_has_too():
    rate = WarmupLinearDecay(0.5, 10, 4)
    assert float(rate(0)) == 0.0
    assert float(rate(2)) == pytest.approx(0.5 * 0.8 * 0.5)
    assert float(rate(10)) == float(rate(99)) == 0.0
    assert float(WarmupLinearDecay(0.5, 10, 0)(0)) == 0.5


def test_decay_spares_layer_norms_and_biases():
    names = ("dense/kernel", "layer_norm/gamma", "dense/bias")
    variables = [tf.Variable([2.0], name=name) for name in names]
    optimizer = BertAdam(0.1, weight_decay_ratio=0.5)
    optimizer.apply_gradients([(tf.constant([0.0]), variable) for variable in variables])
    corrected = 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9)
    np.testing.assert_allclose([v.numpy()[0] for v in variables], [2 - corrected * 0.5 * 2, 2.0, 2.0], rtol=1e-6)
