"""The block against tf-models-official's, whose weights and results it has."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers as tfm_layers

from kaleido_tf.layers.fused import GELUS
from kaleido_tf.layers.transformer_block import TransformerBlock

SIZES = {"num_heads": 3, "intermediate_size": 22, "initializer_range": 0.3, "layer_norm_eps": 1e-6}
HIDDEN = tf.random.stateless_normal([2, 5, 12], [1, 2])
MASK = tf.constant([[[1.0, 1, 1, 0, 1]], [[1, 1, 1, 1, 0]]])
CAUSAL = MASK * tf.linalg.band_part(tf.ones([5, 5]), -1, 0)


def make_block(gelu="tanh", dropout=0.0, name="encoder_layer_0"):
    block = TransformerBlock(
        gelu=gelu, dropout=dropout, attention_dropout=dropout, name=name, **SIZES
    )
    block([HIDDEN, MASK])
    return block


def plain_block(gelu="tanh"):
    return tfm_layers.TransformerEncoderBlock(
        num_attention_heads=3,
        inner_dim=22,
        inner_activation=GELUS[gelu].plain,
        norm_epsilon=1e-6,
        kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=0.3),
        name="encoder_layer_0",
    )


def with_weights_of(block, gelu="tanh"):
    other = plain_block(gelu)
    other([HIDDEN, MASK])
    draw = np.random.default_rng(0)
    block.set_weights([draw.normal(0, 0.3, w.shape) for w in block.get_weights()])
    other.set_weights(block.get_weights())
    return other


def gradients(call, weights):
    with tf.GradientTape() as tape:
        tape.watch(HIDDEN)
        output = call()
        total = tf.reduce_sum(output * tf.random.stateless_normal(output.shape, [7, 8]))
    return tape.gradient(total, [HIDDEN, *weights])


def test_a_new_block_starts_with_the_same_weights_of_the_same_names():
    blocks = []
    for make in (make_block, plain_block):
        tf_keras.utils.set_random_seed(4)
        block = make()
        block([HIDDEN, MASK])
        blocks.append(block)
    ours, theirs = ([(w.name, w.numpy().tolist()) for w in block.weights] for block in blocks)
    assert ours == theirs


@pytest.mark.parametrize("mask", [MASK, CAUSAL], ids=["padding", "causal"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("gelu", ["tanh", "erf"])
def test_results_and_gradients(gelu, training, mask):
    block = make_block(gelu)
    other = with_weights_of(block, gelu)
    expected = other([HIDDEN, mask])
    np.testing.assert_allclose(block([HIDDEN, mask], training=training), expected, atol=1e-5)
    theirs = gradients(lambda: other([HIDDEN, mask]), other.trainable_weights)
    ours = gradients(lambda: block([HIDDEN, mask], training=training), block.trainable_weights)
    for weight, got, want in zip([HIDDEN, *block.trainable_weights], ours, theirs, strict=True):
        np.testing.assert_allclose(got, want, atol=5e-5, err_msg=str(weight))


@pytest.mark.parametrize("training", [False, True])
def test_first_places_alone(training):
    block = make_block()
    with_weights_of(block)
    whole = block([HIDDEN, MASK], training=training)
    part = block([HIDDEN, MASK], output_range=2, training=training)
    assert part.shape == (2, 2, 12)
    np.testing.assert_allclose(part, whole[:, :2], atol=1e-6)


def test_any_batch_and_length_in_one_graph():
    block = make_block()
    call = tf.function(
        lambda hidden, mask: block([hidden, mask], training=True),
        input_signature=[tf.TensorSpec([None, None, 12]), tf.TensorSpec([None, 1, None])],
    )
    part = call(HIDDEN[:1, :4], MASK[:1, :, :4])
    np.testing.assert_allclose(part, block([HIDDEN[:1, :4], MASK[:1, :, :4]]), atol=1e-5)
    np.testing.assert_allclose(call(HIDDEN, MASK), block([HIDDEN, MASK]), atol=1e-5)


def test_dropout_is_drawn_anew_and_vanishes_outside_of_training():
    block = make_block(dropout=0.5)
    first, second = (block([HIDDEN, MASK], training=True).numpy() for _ in range(2))
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(block([HIDDEN, MASK]), block([HIDDEN, MASK], training=False))


def test_dropout_keeps_the_mean():
    """Over many draws the sum before the last norm is that without dropout; the norm bends it a
    little."""
    block = make_block(dropout=0.05)
    with_weights_of(block)
    hidden, mask = tf.repeat(HIDDEN, 400, axis=0), tf.repeat(MASK, 400, axis=0)
    drawn = tf.reduce_mean(tf.reshape(block([hidden, mask], training=True), [2, 400, 5, 12]), 1)
    far = np.abs(drawn - block([HIDDEN, MASK]))
    assert far.mean() < 0.05


def test_bfloat16_is_near_float32_and_the_sum_stays_float32():
    exact = make_block()
    with_weights_of(exact)
    before = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        block = make_block()
    finally:
        tf_keras.mixed_precision.set_global_policy(before)
    block.set_weights(exact.get_weights())
    for training in (False, True):
        result = block([HIDDEN, MASK], training=training)
        assert result.dtype == tf.float32
        np.testing.assert_allclose(result, exact([HIDDEN, MASK]), atol=0.06)
