"""Each part against its plain counterpart: value and gradient."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.layers import fused
from kaleido_tf.layers.fused import GELUS

SEED = tf.constant([3, 4])


def normal(*shape, seed=0):
    return tf.random.stateless_normal(shape, [5, seed])


def check_against(plain, part, inputs, atol=1e-5):
    """Holds two functions of the same inputs against each other, gradients of all inputs too."""
    results = []  # of slopes that 16 bits hold
    for function in (plain, part):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = function(*inputs)
            total = tf.reduce_sum(output * tf.round(2 * normal(*output.shape, seed=9)) / 2)
        results.append([output, *tape.gradient(total, inputs)])
    for expected, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, expected, atol=atol, rtol=1e-5)


def dense_inputs():
    return [normal(5, 3), 3 * normal(3, 4, seed=1), normal(4, seed=2)]


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_dense_and_gelu(name):
    check_against(
        lambda rows, kernel, bias: GELUS[name].plain(rows @ kernel + bias),
        lambda *inputs: fused.dense_gelu(*inputs, GELUS[name]),
        dense_inputs(),
    )


def test_a_gelu_is_rounded_once():
    rows, kernel, bias = (tf.cast(part, tf.bfloat16) for part in dense_inputs())
    result = fused.dense_gelu(rows, kernel, bias, GELUS["erf"])
    assert result.dtype == tf.bfloat16
    exact = tf.cast(rows @ kernel, tf.float32) + tf.cast(bias, tf.float32)
    np.testing.assert_array_equal(result, tf.cast(GELUS["erf"].plain(exact), tf.bfloat16))


def test_a_matrix_is_one_factor_for_all_examples():
    inputs = [normal(2, 5, 3), normal(3, 4, seed=1)]
    check_against(tf.matmul, fused.by_matrix, inputs)

    def gradient(values, matrix):
        with tf.GradientTape() as tape:
            tape.watch(matrix)
            product = fused.by_matrix(values, matrix)
        return tape.gradient(product, matrix)

    graph = tf.function(gradient).get_concrete_function(*inputs).graph
    assert not [op for op in graph.get_operations() if op.type.startswith("BatchMatMul")]


def test_examples_may_be_of_any_number_and_length():
    values, matrix = normal(2, 5, 3), normal(3, 4, seed=1)
    product = tf.function(
        lambda values: fused.by_matrix(values, matrix),
        input_signature=[tf.TensorSpec([None, None, 3])],
    )
    np.testing.assert_allclose(product(values), values @ matrix, rtol=1e-5)
    assert product(values[:0]).shape == (0, 5, 4)
    half = fused.by_matrix(tf.cast(values, tf.bfloat16), matrix)
    assert half.dtype == tf.bfloat16
    with pytest.raises(ValueError, match="rank 3"):
        fused.by_matrix(values[0], matrix)


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_dense(dtype):
    check_against(
        lambda rows, kernel, bias: rows @ kernel + bias,
        lambda *inputs: tf.cast(fused.dense(*(tf.cast(x, dtype) for x in inputs)), tf.float32),
        [tf.round(part) for part in dense_inputs()],  # whole numbers, so that sums are exact
    )


def by_layer(output, residual, gamma, beta):
    layer = tf_keras.layers.LayerNormalization(epsilon=1e-6)
    layer.build(output.shape)
    layer.gamma, layer.beta = gamma, beta
    return layer(output + residual)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_norm_of_a_sum(rate):
    inputs = [normal(5, 7), normal(5, 7, seed=1), normal(7, seed=2), normal(7, seed=3)]
    choices = fused.draw_choices(tf.constant([5, 7]), SEED) if rate else None
    kept = tf.cast(choices >= round(rate * 65536), tf.float32) / (1 - rate) if rate else 1.0
    check_against(
        lambda output, *others: by_layer(output * kept, *others),
        lambda *inputs: tf.add_n(fused.dropout_add_norm(*inputs, choices, rate, 1e-6)) / 2,
        inputs,
        atol=1e-4,
    )


def test_norm():
    check_against(
        lambda values, gamma, beta: by_layer(values, 0.0, gamma, beta),
        lambda *inputs: fused.norm(*inputs, 1e-6, tf.float32),
        [normal(2, 5, 7), normal(7, seed=2), normal(7, seed=3)],
        atol=1e-4,
    )


def test_a_scaled_sum_and_its_norm():
    factors = tf.constant([[[0.0]], [[1.25]]])
    inputs = [normal(2, 5, 7), normal(2, 5, 7, seed=1), normal(7, seed=2), normal(7, seed=3)]

    def plain(output, residual, gamma, beta):
        total = residual + output * factors
        return total + 2 * by_layer(total, 0.0, gamma, beta)

    def part(output, residual, gamma, beta):
        total, normed = fused.scaled_add_norm(output, residual, factors, gamma, beta, 1e-6)
        return total + 2 * normed

    check_against(plain, part, inputs, atol=1e-4)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_attention_weights(rate):
    bias = tf.constant([0.0, 0.0, -1e9, 0.0, -1e9])
    choices = fused.draw_choices(tf.constant([2, 3, 4, 5]), SEED) if rate else None
    kept = tf.cast(choices >= round(rate * 65536), tf.float32) / (1 - rate) if rate else 1.0
    check_against(
        lambda scores: tf.nn.softmax(scores + bias) * kept,
        lambda scores: fused.softmax_dropout(scores, bias, choices, rate),
        [normal(2, 3, 4, 5)],
        atol=2e-5,
    )


def test_dropout_drops_its_share_and_keeps_the_mean():
    choices = fused.draw_choices(tf.constant([301, 333]), SEED)  # an odd number of them
    values = fused.dropped(tf.ones([301, 333]), choices, 0.1).numpy()
    assert set(np.unique(values)) == {0, np.float32(65536 / 58982)}
    assert abs((values == 0).mean() - 0.1) < 0.003  # three times the spread
    assert abs(values.mean() - 1) < 0.0035


def test_draws_are_a_function_of_the_seed():
    shape = tf.constant([3, 5])
    first, again = (fused.draw_choices(shape, SEED).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (fused.draw_choices(shape, SEED + 1).numpy() != first).any()


def test_everything_can_be_dropped():
    values = normal(4, 4)
    choices = fused.draw_choices(tf.constant([4, 4]), SEED)
    assert not fused.dropped(values, choices, 1.0).numpy().any()
