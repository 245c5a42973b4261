import math

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf import losses


def test_classification_loss_by_hand():
    logits = tf.constant([[math.log(3.0), 0.0], [0.0, math.log(7.0)], [0.0, 0.0]])
    loss = losses.classification_loss(logits, tf.constant([0, 1, 0]))
    assert loss.weight == 3.0
    np.testing.assert_allclose(
        loss.total, -math.log(3 / 4) - math.log(7 / 8) - math.log(1 / 2), rtol=1e-6
    )


def test_contrastive_loss_is_the_cross_entropy_each_way():
    logits = np.array([[2.4, 1.8, 3.0], [1.8, 3.0, 0.0], [3.84, 3.42, 1.8]], np.float32)
    rows = [math.log(np.exp(logits[i]).sum()) - logits[i, i] for i in range(3)]
    columns = [math.log(np.exp(logits[:, i]).sum()) - logits[i, i] for i in range(3)]
    loss = losses.contrastive_loss(tf.constant(logits), np.eye(3, dtype=bool))
    assert float(loss) == pytest.approx((np.mean(rows) + np.mean(columns)) / 2, rel=1e-5)


def test_products_that_share_a_text_are_no_mistake():
    logits = tf.fill([2, 2], 5.0)
    assert float(losses.contrastive_loss(logits, np.ones([2, 2], bool))) == pytest.approx(
        0.0, abs=1e-6
    )
    assert float(losses.contrastive_loss(logits, np.eye(2, dtype=bool))) == pytest.approx(
        math.log(2), rel=1e-6
    )


def test_masked_lm_loss_counts_used_slots_only():
    logits = tf.zeros([2, 3, 5])  # uniform over 5 tokens
    weights = tf.constant([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    loss = losses.masked_lm_loss(logits, tf.constant([[0, 1, 2], [3, 4, 0]]), weights)
    np.testing.assert_allclose(loss.total, 3 * math.log(5), rtol=1e-6)
    np.testing.assert_allclose(loss.weight, 3 + 1e-5, rtol=1e-7)


def test_batch_without_any_masked_token_is_zero_and_finite():
    loss = losses.masked_lm_loss(tf.zeros([2, 1, 4]), tf.zeros([2, 1], tf.int32), tf.zeros([2, 1]))
    assert loss.mean() == 0.0


def test_divergence_by_hand():
    target = np.log([[[0.5, 0.25, 0.25]]]).astype(np.float32)
    predicted = np.log([[[0.25, 0.5, 0.25]]]).astype(np.float32)
    loss = losses.patch_divergence_loss(
        tf.constant(predicted), tf.constant(target), joint_target=False, scale=1.0
    )
    expected = 0.5 * math.log(2) + 0.25 * math.log(0.5)
    np.testing.assert_allclose(loss.mean(), expected, rtol=1e-6)


def test_perfect_reconstruction_is_zero_and_never_negative():
    features = tf.random.stateless_normal([3, 2, 7], [1, 2])
    assert (
        abs(float(losses.patch_divergence_loss(features * 0.5, features, False, 0.5).mean())) < 1e-6
    )
    other = tf.random.stateless_normal([3, 2, 7], [3, 4])
    assert losses.patch_divergence_loss(other, features, False, 1.0).mean() > 0


def test_joint_target_can_be_negative_as_in_the_original():
    # Two equal target patches: jointly each holds half of the mass, the prediction a whole one.
    features = tf.zeros([1, 2, 4])
    loss = losses.patch_divergence_loss(tf.zeros([1, 2, 4]), features, joint_target=True, scale=1.0)
    np.testing.assert_allclose(loss.mean(), 4 * (1 / 8) * math.log((1 / 8) / (1 / 4)), rtol=1e-6)


def test_no_gradient_through_the_target():
    features = tf.Variable(tf.random.stateless_normal([2, 1, 5], [5, 6]))
    with tf.GradientTape() as tape:
        loss = losses.patch_divergence_loss(tf.zeros([2, 1, 5]), features, False, 1.0).mean()
    assert tape.gradient(loss, features) is None


def test_reconstruction_is_squared_below_a_difference_of_one():
    images = tf.reshape(tf.constant([0.5, 3.0, 0.0, 0.2, -1.0, 1.0]), [2, 1, 1, 3])
    targets = tf.reshape(tf.constant([0.1, 1.0, 0.0, 0.2, 0.5, 0.0]), [2, 1, 1, 3])
    loss = losses.ImageReconstructionLoss()(images, targets)["loss"]
    assert loss.weight == 6.0
    np.testing.assert_allclose(loss.total, 0.08 + 1.5 + 1.0 + 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    "layer, inputs",
    [
        (losses.ClassificationLoss(), (tf.constant([[2.0, 1.0], [0.0, 3.0]]), tf.constant([0, 0]))),
        (
            losses.MaskedLanguageLoss(),
            (tf.constant([[[2.0, 1.0]], [[0.0, 3.0]]]), tf.constant([[0], [0]]), tf.ones([2, 1])),
        ),
    ],
)
def test_loss_layers_count_hits(layer, inputs):
    accuracy = layer(*inputs)["accuracy"]
    np.testing.assert_allclose(accuracy.mean(), 0.5, rtol=1e-4)
