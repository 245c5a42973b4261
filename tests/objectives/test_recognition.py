"""Recognition: golden parity with the original's fine-tuned model, and what is trained."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.compat.rows.row_columns import row_format
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.families import read_config
from kaleido_tf.objectives.recognition import Classifier


@pytest.fixture(scope="module")
def folder(golden_dir):
    return golden_dir / "finetune" / "catepred"


@pytest.fixture(scope="module")
def model(folder):
    model = Classifier(read_config(folder / "config.json"), "catepred", 48, 64)
    load_weights(model, str(folder / "model.ckpt-50"))
    return model


@pytest.fixture(scope="module")
def batch(folder, model):
    """All 24 rows."""
    schema = parse_schema(json.loads((folder / "meta.json").read_text())["input_schema"])
    form = row_format(schema, model.config, "recognition")
    columns = form.rename(RowFiles(str(folder / "finetune.csv"), schema).read(np.arange(24)))
    inputs = {**form.model_inputs(columns), "label": columns["img_category_id"][:, 0]}
    return {name: tf.constant(array) for name, array in inputs.items()}


def test_logits_and_predictions_of_all_rows(folder, model, batch):
    expected = np.load(folder / "outputs.npz")
    logits = model.objective(batch, training=False)["logits"]["catepred"]
    np.testing.assert_allclose(logits, expected["all_logits"], atol=2e-5, rtol=1e-5)
    np.testing.assert_array_equal(
        np.argmax(logits, axis=1), expected["all_predictions"].reshape(-1)
    )


def test_loss_and_every_gradient(folder, model, batch):
    first = {name: value[:4] for name, value in batch.items()}
    entries = original_variables(model)
    with tf.GradientTape() as tape:
        loss = model.objective(first, training=False)["losses"]["classification_loss"].mean()
    gradients = tape.gradient(loss, [entry.variable for entry in entries.values()])
    np.testing.assert_allclose(loss, np.load(folder / "outputs.npz")["loss"], atol=2e-6, rtol=1e-5)
    expected = np.load(folder / "grads.npz")
    assert set(expected) == set(entries)
    for (name, entry), gradient in zip(entries.items(), gradients):
        array = entry.to_original(tf.convert_to_tensor(gradient).numpy())
        tolerance = (
            1e-5 if name.endswith("self/key/bias") else 1e-6 + 3e-5 * np.abs(expected[name]).max()
        )
        assert np.abs(array - expected[name]).max() <= tolerance, name


def test_heads_of_pre_training_are_not_trained(folder, model):
    left = json.loads((folder / "meta.json").read_text())["variables_without_gradient"]
    trained = {id(variable) for variable in model.trainable_variables}
    assert trained == {id(entry.variable) for entry in original_variables(model).values()}
    assert not set(left) & set(original_variables(model))


def test_dropout_of_the_head_is_for_training_only(model, batch):
    first = {name: value[:4] for name, value in batch.items()}
    still = [model.objective(first, training=False)["logits"]["catepred"] for _ in range(2)]
    np.testing.assert_array_equal(*still)
    moving = [model.objective(first, training=True)["logits"]["catepred"] for _ in range(2)]
    assert np.abs(moving[0] - moving[1]).max() > 1e-3


def test_confusion_counts_every_row(model, batch):
    sums = model.losses(batch, training=False)
    counts = sums["confusion"].total.numpy()
    assert counts.shape == (48, 48) and counts.sum() == 24
    np.testing.assert_array_equal(
        counts.sum(axis=1), np.bincount(batch["label"].numpy(), minlength=48)
    )
    assert model.figures(sums)["micro_f1"] == 0.5
