"""Outfits against the numbers of the release's own code."""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.models.fashion_vil.original import outfit_names
from kaleido_tf.models.fashion_vil.outfit_model import OutfitModel
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from tests.fashion_vil_golden import arrays, channels_last, config, settings


def model_of(**changes):
    """The release's small CSA-Net, which reads smaller photos than its pre-training."""
    sizes = settings()["csa"]
    side = sizes["image_size"]
    given = config(image_side=side, patch_tokenizer=TokenizerConfig(image_side=side))
    model = OutfitModel(
        given, sizes["n_categories"], sizes["feature_dim"], sizes["n_conditions"], **changes
    )
    _ = model.trainable_variables
    names, weights = outfit_names(model), arrays("csa_weights")
    assert {name for name in weights if "num_batches_tracked" not in name} == set(names)
    for name, entry in names.items():
        entry.variable.assign(entry.to_ours(weights[name]))
    return model


@pytest.fixture(scope="module")
def model():
    return model_of()


@pytest.fixture(scope="module")
def golden():
    return arrays("csa_io")


@pytest.fixture(scope="module")
def asked(golden):
    """Images, categories and wanted categories of the questions."""
    pairs = golden["in/combine_cat_id"].astype(np.int32)
    return channels_last(golden["in/question_image"]), pairs[:, 0], pairs[:, 1]


def test_steps_to_a_question(model, golden, asked):
    images, categories, wanted = asked
    pooled = tf.reduce_mean(model.named_layers["image_encoder"](images), axis=1)
    np.testing.assert_allclose(pooled, golden["out/pooled_features"][:, 0], atol=1e-3)
    features = model.named_layers["outfit_projection"](golden["out/pooled_features"][:, 0])
    np.testing.assert_allclose(features, golden["out/proj"], atol=1e-5)
    attention = model.named_layers["outfit_attention"]
    weights = attention.subspace_weights(categories, wanted)
    np.testing.assert_allclose(weights, golden["out/condition_weights"], atol=1e-6)
    fused = attention(golden["out/proj"], categories, wanted)
    np.testing.assert_allclose(fused, golden["out/fused"], atol=1e-6)


def test_vectors_of_questions_and_answers(model, golden, asked):
    images, categories, wanted = asked
    questions = model.question_vectors(model.features(images), categories, wanted).numpy()
    outfits = golden["in/ann_idx"]
    means = np.stack([questions[outfits == number].mean(axis=0) for number in np.unique(outfits)])
    np.testing.assert_allclose(means, golden["out/eval/scores"], atol=1e-3)
    answers = model.answer_vectors(model.features(channels_last(golden["in/blank_image"])))
    np.testing.assert_allclose(answers, golden["out/eval/targets"], atol=1e-3)


def test_loss(model, golden, asked):
    images, categories, wanted = asked
    questions = model.question_vectors(
        model.features(images[:4], training=True), categories[:4], wanted[:4]
    )
    answers = model.answer_vectors(
        model.features(channels_last(golden["in/blank_image"]), training=True)
    )
    loss, count = model.pair_contrast(questions, answers, np.arange(4))["loss"]
    expected = golden["out/train/loss_contrastive_loss"][0]
    assert float(loss / count) == pytest.approx(expected, rel=1e-4)


def test_equal_answers_are_not_each_other_s_wrong_one(model):
    photos = np.random.default_rng(1).integers(0, 256, [2, 64, 64, 3]).astype(np.uint8)
    batch = {
        "photo": photos,
        "category": np.array([1, 2]),
        "answer_photo": photos[[0, 0]],
        "answer_category": np.array([3, 3]),
        "answer_number": np.array([6, 6]),
    }
    assert float(model.losses(batch)["outfit_loss"].total) == 0
    assert float(model.losses({**batch, "answer_number": np.array([6, 7])})["outfit_loss"].total)


def test_what_is_trained():
    counts = {}
    for stages in ("all", "release", "none"):
        model = model_of(trained_stages=stages)
        names = [variable.name for variable in model.trainable_variables]
        assert not any("batch_norm" in name for name in names)
        counts[stages] = len(names)
    # 3 blocks of 3 convolutions and a shortcut in the last stage; 53 convolutions in all
    assert counts["all"] - counts["release"] == 10
    assert counts["release"] - counts["none"] == 43
    heads = 8  # projection, two dense layers, masks, scale
    assert counts["none"] == heads


def test_an_image_encoder_is_taken_whole(model):
    other = model_of(trained_stages="none")
    encoder = other.named_layers["image_encoder"]
    for variable in encoder.variables:
        variable.assign(tf.zeros_like(variable))
    other.start_from(model.named_layers["image_encoder"])
    ours, theirs = (m.named_layers["image_encoder"].parts for m in (other, model))
    assert len(ours) == 53
    for one, two in zip(ours, theirs):
        assert [w.shape for w in one.variables] and len(one.variables) == 5
        np.testing.assert_array_equal(one.convolution.kernel, two.convolution.kernel)
        np.testing.assert_array_equal(
            one.batch_norm.moving_variance, two.batch_norm.moving_variance
        )
