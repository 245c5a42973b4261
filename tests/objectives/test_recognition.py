"""Recognition: golden parity with the original's fine-tuned model, and what is trained."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.compat.rows.row_columns import row_format
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.families import read_config
from kaleido_tf.losses import KnownClassesLoss
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.objectives.recognition import Classifier, balanced_weights
from kaleido_tf.objectives.recognition_config import RecognitionConfig
from kaleido_tf.records.record import GRIDS, KALEIDO
from tests.golden_files import checkpoint_in, read_json, recognition
from tests.tiny_models import tiny_config


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


# On records: what a classifier sees, and what is trained of it.

FAMILY_CONFIGS = {
    "kaleido": (tiny_config(), KALEIDO),
    "fashion": (
        FashionBertConfig(
            vocab_size=23,
            hidden_size=12,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=20,
            max_position_embeddings=11,
            patch_feature_size=5,
            max_patch_position_embeddings=16,
        ),
        GRIDS[4],
    ),
}


@pytest.fixture(scope="module", params=FAMILY_CONFIGS)
def family(request):
    """(config, a batch of three records with texts of 9 places)."""
    config, layout = FAMILY_CONFIGS[request.param]
    generator = np.random.default_rng(2)
    features = generator.normal(size=[3, layout.num_patches, 5]).astype(np.float32)
    return config, {
        "input_ids": tf.constant(generator.integers(5, 23, [3, 9]), tf.int32),
        "input_mask": tf.sequence_mask([9, 4, 6], 9, tf.int32),
        "segment_ids": tf.zeros([3, 9], tf.int32),
        "patch_features": tf.constant(features),
        "patch_boxes": tf.constant(np.stack([layout.boxes(32, 48)] * 3), tf.int32),
        "label": tf.constant([1, 3, 0]),  # of 3 classes; the fourth is one that training lacked
    }


def classifier(config, text_length=9, **settings):
    tf_keras.utils.set_random_seed(7)
    return Classifier(config, "catepred", 3, text_length, RecognitionConfig(**settings), unseen=1)


def test_a_model_of_texts_alone_is_one_whose_patches_are_hidden(family):
    """No patch reaches it, and its numbers are those of the whole encoder under a mask."""
    config, batch = family
    model = classifier(config, modalities="text")
    assert set(model.classifier.input) == {"input_ids", "input_mask", "segment_ids"}
    hidden = {name: batch[name] for name in model.classifier.input}
    np.testing.assert_array_equal(model.logits(batch), model.logits(hidden))
    backbone = model.backbone
    text, image = backbone.embedder(model._fed(batch, backbone.embedder)).values()
    masked = {**batch, "patch_mask": tf.zeros(image.shape[:2], tf.int32)}
    whole = backbone.named_layers["pooler"](backbone._encode(text, image, masked))
    alone = backbone.text_encoder(model._fed(batch, backbone.text_encoder))["pooled_output"]
    np.testing.assert_allclose(whole, alone, atol=1e-6)


def test_a_model_of_images_alone_is_one_whose_text_is_padding(family):
    config, batch = family
    short, long = (classifier(config, length, modalities="image") for length in (2, 9))
    long.objective.set_weights(short.objective.get_weights())
    two = {name: batch[name][:, :2] for name in ("input_ids", "input_mask", "segment_ids")}
    shown = tf.sequence_mask([2, 2, 2], 9, tf.int32)
    np.testing.assert_allclose(
        short.logits({**batch, **two}), long.logits({**batch, "input_mask": shown}), atol=1e-6
    )


def test_frozen_encoder_is_neither_trained_nor_disturbed(family):
    config, batch = family
    config = dataclasses.replace(config, hidden_dropout_prob=0.5)
    model = classifier(config, freeze_encoder=True)
    names = {id(variable) for variable in model.trainable_variables}
    assert names == {id(variable) for variable in model.head.trainable_variables}
    model.head_dropout.rate = 0.0
    np.testing.assert_array_equal(model.logits(batch, training=True), model.logits(batch))
    free = classifier(config)
    assert len(free.trainable_variables) > 2
    moved = free.logits(batch, training=True) - free.logits(batch)
    assert np.abs(moved).max() > 1e-5


def test_unseen_class_counts_as_wrong_and_adds_no_loss(family):
    config, batch = family
    model = classifier(config)
    sums = model.losses(batch)
    logits = model.logits(batch).numpy()
    known = tf_keras.losses.sparse_categorical_crossentropy([1, 0], logits[[0, 2]], True)
    loss, hits = sums["classification_loss"], sums["accuracy"]
    np.testing.assert_allclose(loss.total, sum(known), rtol=1e-5)
    assert (float(loss.weight), float(hits.weight)) == (2, 3)
    assert float(hits.total) == sum(logits[[0, 2]].argmax(axis=1) == [1, 0])
    assert sums["confusion"].total.shape == (4, 4)
    assert model.figures(sums)["micro_f1"] == pytest.approx(float(hits.mean()))
    alone = {name: value[1:2] for name, value in batch.items()}
    assert float(model.losses(alone)["classification_loss"].mean()) == 0


def test_class_weights_are_for_training_and_one_on_average():
    weights = balanced_weights([6, 3, 1])
    np.testing.assert_allclose(weights, [10 / 18, 10 / 9, 10 / 3])
    assert np.dot(weights, [6, 3, 1]) == pytest.approx(10)
    layer, logits = KnownClassesLoss(weights), tf.constant([[2.0, 0, 1]] * 2)
    plain = layer(logits, tf.constant([0, 2]))["loss"]
    weighted = layer(logits, tf.constant([0, 2]), training=True)["loss"]
    each = [-x for x in tf.nn.log_softmax(logits[0]).numpy()[[0, 2]]]
    np.testing.assert_allclose(plain.mean(), sum(each) / 2, rtol=1e-6)
    np.testing.assert_allclose(weighted.mean(), np.dot(each, weights[::2]) / 2, rtol=1e-6)
