"""How the release starts a model's weights."""

import math

import tf_keras


def dense(units, spread, **kwargs) -> tf_keras.layers.Dense:
    """A dense layer with normal weights of that spread and biases of 0."""
    normal = tf_keras.initializers.RandomNormal(stddev=spread)
    return tf_keras.layers.Dense(units, kernel_initializer=normal, **kwargs)


def convolution(inputs, outputs, side, stride, use_bias=True, **kwargs) -> tf_keras.layers.Conv2D:
    """A convolution of `side` x `side` cells of `inputs` channels; weights and biases even within
    1 / sqrt(values that a cell is made of), PyTorch's default.
    """
    limit = 1 / math.sqrt(inputs * side**2)
    kernel, bias = (tf_keras.initializers.RandomUniform(-limit, limit) for _ in range(2))
    return tf_keras.layers.Conv2D(
        outputs,
        side,
        stride,
        use_bias=use_bias,
        kernel_initializer=kernel,
        bias_initializer=bias,
        **kwargs,
    )
