"""The encoder's block: words and patches of a stage attend to each other (MVLT; PVT's
spatial-reduction attention, Wang et al., 2021).

B = batch, N = patches (h x w, row by row), T = words, C = width of the stage, M = places that are
attended to: N / R^2 + T with reduction ratio R. The sequence is the patches, then the words. There
is no attention mask: padding is a word as any other.
"""

import tensorflow as tf
import tf_keras

from kaleido_tf.layers import fused
from kaleido_tf.layers.fused import GELUS
from kaleido_tf.models.mvlt.initializers import convolution, dense

BLOCK_NORM_EPSILON = 1e-6
NORM_EPSILON = 1e-5
"""Of every layer norm outside of the blocks, and of the one after the reduction."""


def dense_rows(layer, hidden, *gelu):
    """A dense layer on [B, L, C], as one plain product; with a GELU (of `fused.GELUS`) after it, in
    training alone.
    """
    if not layer.built:
        layer(hidden)
    dense = fused.dense_gelu if gelu else fused.dense
    product = dense(fused.by_rows(hidden), layer.kernel, layer.bias, *gelu)
    return tf.reshape(product, [-1, hidden.shape[1], layer.units])


def patches_and_words(hidden, grid):
    """The two parts of a sequence [B, N + T, C]. One split: the gradients of two slices would be
    filled up with zeros and added.
    """
    patches = grid[0] * grid[1]
    return tf.split(hidden, [patches, hidden.shape[1] - patches], axis=1)


class JointAttention(tf_keras.layers.Layer):
    """Multi-head attention of all places to the words and to a coarser image.

    Inputs: hidden [B, N + T, C]; grid: (h, w) of the patches. Output: [B, N + T, C].
    """

    def __init__(self, width, heads, ratio, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.width, self.heads, self.ratio = width, heads, ratio
        self.initializer_range = initializer_range
        self.query = dense(width, initializer_range, name="query")
        self.key_value = dense(2 * width, initializer_range, name="key_value")
        self.output_projection = dense(width, initializer_range, name="output_projection")
        if ratio > 1:
            self.reduction = convolution(width, width, ratio, ratio, name="reduction")
            self.reduction_norm = tf_keras.layers.LayerNormalization(
                epsilon=NORM_EPSILON, name="reduction_norm"
            )

    def call(self, hidden, grid, training=None):
        query = self._by_head(dense_rows(self.query, hidden) * (self.width // self.heads) ** -0.5)
        key_value = dense_rows(self.key_value, self._reduced(hidden, grid))
        key, value = (self._by_head(part) for part in tf.split(key_value, 2, axis=-1))
        scores = tf.matmul(query, key, transpose_b=True)  # [B, heads, N + T, M]
        weights = fused.softmax_dropout(scores, 0.0, None, 0.0) if training else _softmax(scores)
        mixed = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        return dense_rows(self.output_projection, tf.reshape(mixed, tf.shape(hidden)))

    def _by_head(self, hidden):
        """[B, L, C] -> [B, heads, L, C / heads]."""
        length = hidden.shape[1]
        heads = tf.reshape(hidden, [-1, length, self.heads, self.width // self.heads])
        return tf.transpose(heads, [0, 2, 1, 3])

    def _reduced(self, hidden, grid):
        """[B, M, C]; words are left as they are."""
        if self.ratio == 1:
            return hidden
        patches, words = patches_and_words(hidden, grid)
        coarse = self.reduction(tf.reshape(patches, [-1, *grid, self.width]))
        cells = coarse.shape[1] * coarse.shape[2]
        coarse = self.reduction_norm(tf.reshape(coarse, [-1, cells, self.width]))
        return tf.concat([coarse, words], axis=1)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "heads": self.heads,
            "ratio": self.ratio,
            "initializer_range": self.initializer_range,
        }


class FeedForward(tf_keras.layers.Layer):
    """Dense, GELU (by the error function), dense. [B, L, C] -> [B, L, C]."""

    def __init__(self, width, ratio, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.width, self.ratio, self.initializer_range = width, ratio, initializer_range
        self.intermediate = dense(width * ratio, initializer_range, name="intermediate")
        self.output_projection = dense(width, initializer_range, name="output_projection")

    def call(self, hidden, training=None):
        gelu = GELUS["erf"]
        if training:
            inner = dense_rows(self.intermediate, hidden, gelu)
        else:
            inner = gelu.plain(dense_rows(self.intermediate, hidden))
        return dense_rows(self.output_projection, inner)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "ratio": self.ratio,
            "initializer_range": self.initializer_range,
        }


class PyramidBlock(tf_keras.layers.Layer):
    """A pre-norm block. In training each of its two parts is left out for some of the examples
    (stochastic depth), and what the others get is made larger by as much.

    Inputs and output: as `JointAttention`. Args: drop_prob: how often a part is left out.
    """

    def __init__(
        self, width, heads, mlp_ratio, reduction_ratio, drop_prob, initializer_range, **kwargs
    ):
        super().__init__(**kwargs)
        self.settings = {
            "width": width,
            "heads": heads,
            "mlp_ratio": mlp_ratio,
            "reduction_ratio": reduction_ratio,
            "drop_prob": drop_prob,
            "initializer_range": initializer_range,
        }
        self.attention_norm, self.feed_forward_norm = (
            tf_keras.layers.LayerNormalization(epsilon=BLOCK_NORM_EPSILON, name=name)
            for name in ("attention_norm", "feed_forward_norm")
        )
        self.attention = JointAttention(
            width, heads, reduction_ratio, initializer_range, name="attention"
        )
        self.feed_forward = FeedForward(width, mlp_ratio, initializer_range, name="feed_forward")
        # Dropout layers, so that the trainer draws them by step.
        self._autocast = False  # the sum that passes from block to block stays float32
        self.attention_drop, self.feed_forward_drop = (
            tf_keras.layers.Dropout(drop_prob, dtype="float32") for _ in range(2)
        )

    def call(self, hidden, grid, training=None):
        hidden = tf.cast(hidden, tf.float32)
        first, second = self.attention_norm, self.feed_forward_norm
        for norm in (first, second):
            if not norm.built:
                norm(hidden)
        if not training:
            hidden += tf.cast(self.attention(first(hidden), grid=grid), tf.float32)
            return hidden + tf.cast(self.feed_forward(second(hidden)), tf.float32)
        ones = tf.ones([tf.shape(hidden)[0], 1, 1])
        normed = fused.norm(hidden, first.gamma, first.beta, first.epsilon, self.compute_dtype)
        parts = (self.attention(normed, grid=grid), hidden, self.attention_drop(ones))
        hidden, normed = fused.scaled_add_norm(*parts, second.gamma, second.beta, second.epsilon)
        output = tf.cast(self.feed_forward(normed), tf.float32)
        return hidden + output * self.feed_forward_drop(ones)

    def get_config(self):
        return {**super().get_config(), **self.settings}


def _softmax(scores):
    return tf.cast(tf.nn.softmax(tf.cast(scores, tf.float32)), scores.dtype)
