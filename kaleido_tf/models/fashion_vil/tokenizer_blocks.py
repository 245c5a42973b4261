"""The blocks of the patch tokenizer (Esser et al., 2021, "Taming transformers", as FashionViL's
release builds them).

B = images, h, w = cells of a map, C = channels.
"""

import tensorflow as tf
import tf_keras

from kaleido_tf.models.fashion_vil.tokenizer_config import GROUPS

EPSILON = 1e-6


class GroupNorm(tf_keras.layers.Layer):
    """Mean 0 and spread 1 of each of 32 groups of neighbouring channels, over all cells of a map;
    statistics in float32. [B, h, w, C] -> the same.
    """

    def build(self, input_shape):
        width = input_shape[-1]
        self.gamma = self.add_weight("gamma", [width], initializer="ones")
        self.beta = self.add_weight("beta", [width], initializer="zeros")
        super().build(input_shape)

    def call(self, maps):
        height, width, channels = maps.shape[1:]
        cells = tf.reshape(maps, [-1, height * width, channels])
        mean, variance = (
            tf.reshape(part, [-1, GROUPS, channels // GROUPS]) for part in _moments(cells)
        )
        of_group = tf.reduce_mean(mean, axis=-1, keepdims=True)
        variance += tf.math.squared_difference(mean, of_group)
        spread = tf.math.rsqrt(tf.reduce_mean(variance, axis=-1, keepdims=True) + EPSILON)
        gamma, beta = (
            tf.reshape(tf.cast(weight, tf.float32), [GROUPS, -1])
            for weight in (self.gamma, self.beta)
        )
        scale = gamma * spread
        scale, offset = (
            tf.cast(tf.reshape(part, [-1, 1, channels]), maps.dtype)
            for part in (scale, beta - of_group * scale)
        )
        return tf.reshape(cells * scale + offset, [-1, height, width, channels])


def _moments(cells):
    """Mean and variance of each channel, float32: [B, cells, C] -> twice [B, 1, C].

    On CPUs as products, which add up faster than TensorFlow's sums over a map's first axes; GPUs
    round what they multiply (TF32).
    """
    cells = tf.cast(cells, tf.float32)
    if tf.config.list_logical_devices("GPU"):
        return tf.nn.moments(cells, [1], keepdims=True)
    shares = tf.fill([tf.shape(cells)[0], 1, cells.shape[1]], 1 / cells.shape[1])
    mean = tf.matmul(shares, cells)
    return mean, tf.matmul(shares, tf.math.squared_difference(cells, mean))


def convolution(width: int, side: int, name: str) -> tf_keras.layers.Conv2D:
    """A convolution of `side` x `side` cells that keeps the map's size."""
    return tf_keras.layers.Conv2D(width, side, padding="same", name=name)


class ResidualBlock(tf_keras.layers.Layer):
    """Two convolutions, each after a group norm and swish, added to the input. [B, h, w, C] ->
    [B, h, w, width]; where C is another, the input is brought to it by a 1 x 1 convolution.
    """

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.first_norm = GroupNorm(name="first_norm")
        self.first = convolution(width, 3, "first")
        self.second_norm = GroupNorm(name="second_norm")
        self.second = convolution(width, 3, "second")
        self.shortcut = None

    def build(self, input_shape):
        if input_shape[-1] != self.width:
            self.shortcut = convolution(self.width, 1, "shortcut")
        super().build(input_shape)

    def call(self, maps):
        hidden = self.first(tf.nn.silu(self.first_norm(maps)))
        hidden = self.second(tf.nn.silu(self.second_norm(hidden)))
        return hidden + (maps if self.shortcut is None else self.shortcut(maps))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


class CellAttention(tf_keras.layers.Layer):
    """Every cell attends to all cells of its map, with one head; added to the input. [B, h, w, C]
    -> the same.
    """

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.norm = GroupNorm(name="norm")
        self.query, self.key, self.value, self.projection = (
            convolution(width, 1, name) for name in ("query", "key", "value", "projection")
        )

    def call(self, maps):
        height, width, channels = maps.shape[1:]
        normed = self.norm(maps)
        query, key, value = (
            tf.reshape(part(normed), [-1, height * width, channels])
            for part in (self.query, self.key, self.value)
        )
        scores = tf.matmul(query, key, transpose_b=True) * self.width**-0.5
        mixed = tf.matmul(tf.nn.softmax(scores), value)
        return maps + self.projection(tf.reshape(mixed, [-1, height, width, channels]))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


class Level(tf_keras.layers.Layer):
    """Residual blocks of one width, each followed by attention where the level has it. [B, h, w, C]
    -> [B, h, w, width].
    """

    def __init__(self, width, num_blocks, attention, **kwargs):
        super().__init__(**kwargs)
        self.width, self.num_blocks, self.attention = width, num_blocks, attention
        numbers = range(num_blocks)
        self.blocks = [ResidualBlock(width, name=f"block_{number}") for number in numbers]
        self.attentions = [
            CellAttention(width, name=f"attention_{number}") for number in numbers if attention
        ]

    def call(self, maps):
        for number, block in enumerate(self.blocks):
            maps = block(maps)
            if self.attention:
                maps = self.attentions[number](maps)
        return maps

    def get_config(self):
        sizes = {"width": self.width, "num_blocks": self.num_blocks, "attention": self.attention}
        return {**super().get_config(), **sizes}


class Halving(tf_keras.layers.Layer):
    """A convolution of stride 2 after a row and a column of zeros at the bottom and at the right.
    [B, h, w, C] -> [B, h / 2, w / 2, C].
    """

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.convolution = tf_keras.layers.Conv2D(width, 3, 2, name="convolution")

    def call(self, maps):
        return self.convolution(tf.pad(maps, [[0, 0], [0, 1], [0, 1], [0, 0]]))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


class Middle(tf_keras.layers.Layer):
    """Residual block, attention, residual block. [B, h, w, width] -> the same."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.first = ResidualBlock(width, name="first")
        self.attention = CellAttention(width, name="attention")
        self.second = ResidualBlock(width, name="second")

    def call(self, maps):
        return self.second(self.attention(self.first(maps)))

    def get_config(self):
        return {**super().get_config(), "width": self.width}
