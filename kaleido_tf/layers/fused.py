"""The parts of a transformer block between its matrix products, each compiled to a few loops (XLA).

TensorFlow runs such a part as many passes over memory. Matrix products stay outside, with oneDNN,
which is faster at them (`benchmarks.product_rates`). What is compiled is for training: XLA compiles
anew for every shape, and a training batch has one; elsewhere plain operations do the same.

Every function gives the value and the gradient of its plain counterpart (tests/layers/
test_fused.py), but not the gradient's gradient.
"""

import functools
import math
import types
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
import tf_keras

CHOICES = 2**16
"""A dropout decision is a number of 16 bits: half the draws that a float needs."""

_TANH_SCALE = math.sqrt(2 / math.pi)
_TANH_CUBIC = 0.044715


def compiled(function: Callable) -> Callable:
    """`function` of tensors as one XLA program."""
    return tf.function(function, autograph=False, jit_compile=True)


def differentiable(chain: Callable, inputs: int) -> Callable:
    """`chain` as one program, and its gradient as another, which computes the chain once more
    instead of keeping what is between.

    Args: inputs: how many of the first arguments, floats all, have a gradient.
    """
    forward = compiled(chain)

    @compiled
    def backward(varied, fixed, gradients):
        with tf.GradientTape() as tape:
            tape.watch(varied)
            outputs = tf.nest.flatten(chain(*varied, *fixed))
        return tape.gradient(outputs, varied, gradients)

    def run(*arguments):
        arguments = [tf.convert_to_tensor(argument) for argument in arguments]  # of variables
        fixed = arguments[inputs:]

        @tf.custom_gradient
        def part(*varied):
            return forward(*varied, *fixed), lambda *slopes: backward(varied, fixed, list(slopes))

        return part(*arguments[:inputs])

    return run


def dense(rows: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """[R, I] x [I, O] + [O] -> [R, O].

    The gradient of the bias is a product with ones, which sums the rows faster in bfloat16.
    """

    @tf.custom_gradient
    def part(rows, kernel, bias):
        output = _with_bias(tf.matmul(rows, kernel), bias)
        return output, lambda gradient: _dense_gradients(rows, kernel, gradient)

    return part(*(tf.convert_to_tensor(argument) for argument in (rows, kernel, bias)))


def _with_bias(product, bias):
    """In 16 bits TensorFlow's fusion of a product with its bias takes up to four times as long as
    the product alone (`benchmarks.product_rates`), so the product
    gets one more axis, which keeps TensorFlow from fusing them.
    """
    if product.dtype.size > 2:
        return tf.nn.bias_add(product, bias)
    width = bias.shape[0]
    return tf.reshape(tf.nn.bias_add(tf.reshape(product, [1, -1, width]), bias), [-1, width])


def _dense_gradients(rows, kernel, gradient):
    """Of rows, kernel and bias."""
    ones = tf.ones([1, tf.shape(gradient)[0]], gradient.dtype)
    return (
        tf.matmul(gradient, kernel, transpose_b=True),
        tf.matmul(rows, gradient, transpose_a=True),
        tf.matmul(ones, gradient)[0],
    )


def dense_gelu(rows: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, gelu: "Gelu") -> tf.Tensor:
    """GELU of `dense`, whose bias is added within the loop of the GELU: in float32, where `dense`
    rounds the sum.
    """

    @tf.custom_gradient
    def part(rows, kernel, bias):
        product = tf.matmul(rows, kernel)

        def backward(gradient):
            return _dense_gradients(rows, kernel, gelu.backward(product, bias, gradient))

        return gelu.forward(product, bias), backward

    return part(*(tf.convert_to_tensor(argument) for argument in (rows, kernel, bias)))


def by_rows(values: tf.Tensor, last_axes: int = 1) -> tf.Tensor:
    """[..., a, b] -> [R, b], or [R, a * b] where the last two axes are one."""
    return tf.reshape(values, [-1, math.prod(values.shape[-last_axes:])])


def by_matrix(values: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """[B, L, I] x [I, O] -> [B, L, O] as one product, in the precision of `values`. `tf.matmul` of
    these makes one an example, and a matrix an example in the gradient of the matrix before it adds
    them up.
    """
    values.shape.assert_has_rank(3)
    # TensorFlow multiplies matrices of two precisions without a word, in float32.
    product = tf.matmul(by_rows(values), tf.cast(matrix, values.dtype))
    return tf.reshape(product, [-1, values.shape[1] or tf.shape(values)[1], matrix.shape[1]])


class Gelu(NamedTuple):
    """`plain` for every use; in training, of a product and its bias, each one compiled loop:
    `forward` and `backward` (product, bias, gradient), which gives the gradient of the product.
    """

    plain: Callable
    forward: Callable
    backward: Callable


def _compiled_gelu(value: Callable, slope: Callable) -> Gelu:
    """A GELU, computed in float32, from its value and its slope at float32 numbers. The slope is
    written out: differentiated by XLA it takes longer.
    """

    def added(product, bias):
        return tf.cast(product, tf.float32) + tf.cast(bias, tf.float32)

    @compiled
    def forward(product, bias):
        return tf.cast(value(added(product, bias)), product.dtype)

    @compiled
    def backward(product, bias, gradient):
        slopes = slope(added(product, bias))
        return tf.cast(slopes * tf.cast(gradient, tf.float32), product.dtype)

    return Gelu(value, forward, backward)


def gelu(x):
    """GELU in its tanh approximation, as the originals and Google's BERT have it."""
    return tf_keras.activations.gelu(x, approximate=True)


def exact_gelu(x):
    """GELU by the error function, as Hugging Face's BERT has it."""
    return tf_keras.activations.gelu(x, approximate=False)


def _gelu_slope(x):
    squared = x * x
    tanh = tf.tanh(_TANH_SCALE * (x + _TANH_CUBIC * squared * x))
    inner = _TANH_SCALE * (1 + 3 * _TANH_CUBIC * squared)
    return 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * inner


def _exact_gelu_slope(x):
    density = tf.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return 0.5 * (1 + tf.math.erf(x * math.sqrt(0.5))) + x * density


GELUS = types.MappingProxyType(
    {
        "tanh": _compiled_gelu(gelu, _gelu_slope),
        "erf": _compiled_gelu(exact_gelu, _exact_gelu_slope),
    }
)
"""By the config's `hidden_gelu`."""


def draw_choices(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """`shape` uint16, even over all 65,536 numbers: what `dropped` decides by. Seed: [2] int."""
    count = tf.reduce_prod(shape)
    words = tf.random.stateless_uniform([(count + 1) // 2], seed, None, None, tf.int32)
    return tf.reshape(tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:count], shape)


def dropped(values: tf.Tensor, choices: tf.Tensor | None, rate: float) -> tf.Tensor:
    """Dropout of float32 values by `draw_choices`; those that stay grow by what the share that goes
    (`rate`, rounded to 1 / 65,536) leaves. choices None: all stay.
    """
    if choices is None:
        return values
    lost = round(rate * CHOICES)
    if lost == CHOICES:
        return tf.zeros_like(values)
    return tf.where(choices >= lost, values * (CHOICES / (CHOICES - lost)), 0.0)


def dropout_add_norm(output, residual, gamma, beta, choices, rate: float, epsilon: float):
    """Layer norm of `dropout(output) + residual`, for two readers.

    Args: output: [R, H] of any precision. residual: [R, H] float32. gamma, beta: [H]. choices:
      [R, H] as `draw_choices`, or None. Returns: [R, H] float32, and the same in the precision of
      `output`; their gradients are added up where they are used.
    """
    fixed = () if choices is None else (choices,)
    return _dropout_add_norm(rate, epsilon)(output, residual, gamma, beta, *fixed)


@functools.cache
def _dropout_add_norm(rate, epsilon):
    def chain(output, residual, gamma, beta, choices=None):
        total = residual + dropped(tf.cast(output, tf.float32), choices, rate)
        normed = layer_norm(total, gamma, beta, epsilon)
        return normed, tf.cast(normed, output.dtype)

    return differentiable(chain, 4)


def norm(values, gamma, beta, epsilon: float, dtype):
    """Layer norm of float32 values over the last axis, in the precision `dtype`."""
    return _norm(epsilon, tf.as_dtype(dtype))(values, gamma, beta)


@functools.cache
def _norm(epsilon, dtype):
    return differentiable(
        lambda values, gamma, beta: tf.cast(layer_norm(values, gamma, beta, epsilon), dtype), 3
    )


def scaled_add_norm(output, residual, factors, gamma, beta, epsilon: float):
    """`residual + output * factors`, and its layer norm.

    Args: output: [B, L, C] of any precision. residual: [B, L, C] float32. factors: [B, 1, 1]
      float32, constants to the gradient. gamma, beta: [C]. Returns: [B, L, C] float32, and the norm
      in the precision of `output`.
    """
    return _scaled_add_norm(epsilon)(output, residual, gamma, beta, factors)


@functools.cache
def _scaled_add_norm(epsilon):
    def chain(output, residual, gamma, beta, factors):
        total = residual + tf.cast(output, tf.float32) * factors
        return total, tf.cast(layer_norm(total, gamma, beta, epsilon), output.dtype)

    return differentiable(chain, 4)


def layer_norm(values, gamma, beta, epsilon: float):
    """Layer norm over the last axis in plain operations, within a compiled chain or by itself."""
    centred = values - tf.reduce_mean(values, axis=-1, keepdims=True)
    variance = tf.reduce_mean(centred * centred, axis=-1, keepdims=True)
    return centred * tf.math.rsqrt(variance + epsilon) * gamma + beta


def softmax_dropout(scores, bias, choices, rate: float):
    """Attention weights: dropout of the softmax of `scores + bias` over the last axis.

    Args: scores: [B, N, t, T] of any precision. bias: float32 that broadcasts to it, a constant to
      the gradient. choices: [B, N, t, T] as `draw_choices`, or None. Returns: [B, N, t, T].
    """
    fixed = () if choices is None else (choices,)
    drop, backward = _softmax_dropout(rate)

    @tf.custom_gradient
    def part(scores):
        # oneDNN's softmax: XLA's takes longer to find the largest score of a row
        weights = tf.nn.softmax(tf.cast(scores, tf.float32) + bias)
        output = drop(weights, *fixed) if fixed else weights
        kept = tf.cast(weights, scores.dtype)
        return tf.cast(output, scores.dtype), lambda gradient: backward(kept, gradient, *fixed)

    return part(scores)


@functools.cache
def _softmax_dropout(rate):
    @compiled
    def drop(weights, choices):
        return dropped(weights, choices, rate)

    @compiled
    def backward(weights, gradient, choices=None):
        dtype, weights = weights.dtype, tf.cast(weights, tf.float32)
        gradient = weights * dropped(tf.cast(gradient, tf.float32), choices, rate)
        total = tf.reduce_sum(gradient, axis=-1, keepdims=True)
        return tf.cast(gradient - weights * total, dtype)

    return drop, backward
