"""Recognition: golden parity with the original's fine-tuned model, and what is trained."""

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
from tests.golden_files import checkpoint_in, read_json, recognition


@pytest.fixture(scope="module")
def folder():
    return recognition()


@pytest.fixture(scope="module")
def meta(folder):
    """Task, number of classes and of rows, rows a batch, schema."""
    return read_json(folder / "meta.json")


@pytest.fixture(scope="module")
def schema(meta):
    return parse_schema(meta["input_schema"])


@pytest.fixture(scope="module")
def model(folder, meta, schema):
    text_length = {column.name: column.values for column in schema}["input_ids"]
    config = read_config(folder / "config.json")
    model = Classifier(config, meta["task"], meta["classes"], text_length)
    load_weights(model, checkpoint_in(folder))
    return model


@pytest.fixture(scope="module")
def batch(folder, model, meta, schema):
    """All rows."""
    form = row_format(schema, model.config, "recognition")
    columns = form.rename(
        RowFiles(str(folder / "finetune.csv"), schema).read(np.arange(meta["num_examples"]))
    )
    inputs = {**form.model_inputs(columns), "label": columns["img_category_id"][:, 0]}
    return {name: tf.constant(array) for name, array in inputs.items()}


def test_logits_and_predictions_of_all_rows(folder, model, meta, batch):
    expected = np.load(folder / "outputs.npz")
    logits = model.objective(batch, training=False)["logits"][meta["task"]]
    np.testing.assert_allclose(logits, expected["all_logits"], atol=2e-5, rtol=1e-5)
    np.testing.assert_array_equal(
        np.argmax(logits, axis=1), expected["all_predictions"].reshape(-1)
    )


def test_loss_and_every_gradient(folder, model, meta, batch):
    first = {name: value[: meta["batch"]] for name, value in batch.items()}
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


def test_heads_of_pre_training_are_not_trained(model, meta):
    left = meta["variables_without_gradient"]
    trained = {id(variable) for variable in model.trainable_variables}
    assert trained == {id(entry.variable) for entry in original_variables(model).values()}
    assert not set(left) & set(original_variables(model))


def test_dropout_of_the_head_is_for_training_only(model, meta, batch):
    first = {name: value[: meta["batch"]] for name, value in batch.items()}
    still = [model.objective(first, training=False)["logits"][meta["task"]] for _ in range(2)]
    np.testing.assert_array_equal(*still)
    moving = [model.objective(first, training=True)["logits"][meta["task"]] for _ in range(2)]
    assert np.abs(moving[0] - moving[1]).max() > 1e-3


def test_confusion_counts_every_row(model, meta, batch):
    sums = model.losses(batch, training=False)
    counts = sums["confusion"].total.numpy()
    classes = meta["classes"]
    assert counts.shape == (classes, classes) and counts.sum() == meta["num_examples"]
    np.testing.assert_array_equal(
        counts.sum(axis=1), np.bincount(batch["label"].numpy(), minlength=classes)
    )
    assert model.figures(sums)["micro_f1"] == pytest.approx(meta["estimator_eval"]["py_micro_f1"])
