"""The encoder's block, arranged for speed.

B = batch, T = places, N = heads, D = size of a head, H = N * D, R = B * T rows.
"""

import math

import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers as tfm_layers

from kaleido_tf.layers import fused
from kaleido_tf.layers.fused import GELUS

HIDDEN = -1e9
"""Added to the scores of places that may not be seen, as tf_keras' attention does."""


class TransformerBlock(tfm_layers.TransformerEncoderBlock):
    """A post-norm `TransformerEncoderBlock`: its parts, weights and results, another computation.

    Places of all examples are rows of one matrix, so that every dense layer is one plain product;
    query, key and value are one product; what stands between the products is a compiled loop each
    in training (`layers.fused`). The sum that passes from block to block stays float32, whatever
    the precision of the products (tf-models-official rounds it before each block).

    Inputs: hidden [B, T, H]; mask [B, 1, T] or [B, T, T], 1: may be attended to, 0: may not.
    Output: [B, T, H] float32, or the first `output_range` places.

    Args: gelu: of `layers.fused.GELUS`. initializer_range, dropout, attention_dropout,
      layer_norm_eps: as in a config.
    """

    def __init__(
        self,
        num_heads,
        intermediate_size,
        gelu,
        dropout,
        attention_dropout,
        initializer_range,
        layer_norm_eps,
        **kwargs,
    ):
        super().__init__(
            num_attention_heads=num_heads,
            inner_dim=intermediate_size,
            inner_activation=GELUS[gelu].plain,
            output_dropout=dropout,
            attention_dropout=attention_dropout,
            norm_epsilon=layer_norm_eps,
            kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=initializer_range),
            **kwargs,
        )
        self._gelu = GELUS[gelu]
        self._autocast = False  # or the sum between blocks would come rounded

    def build(self, input_shape):
        super().build(input_shape)
        hidden = tf.TensorShape(input_shape[0])
        attention = self._attention_layer
        with tf.name_scope(attention.name):
            attention._build_from_signature(hidden, hidden)
            for part in (attention._query_dense, attention._key_dense, attention._value_dense):
                _build(part, hidden)
            heads = [*hidden[:-1], self._num_heads, self._key_dim]
            _build(attention._output_dense, heads)
        _build(self._attention_layer_norm, hidden)
        _build(self._intermediate_dense, hidden)
        _build(self._output_dense, [*hidden[:-1], self._inner_dim])
        _build(self._output_layer_norm, hidden)

    def call(self, inputs, output_range=None, training=None):
        hidden, mask = inputs
        hidden = tf.cast(hidden, tf.float32)
        queries, keys, values = self._queries_keys_values(hidden, output_range)
        bias = HIDDEN * (1 - tf.cast(mask[:, None, :output_range], tf.float32))
        scores = tf.matmul(queries, keys, transpose_b=True)  # [B, N, t, T]
        weights = self._attention_weights(scores, bias, training)
        context = tf.transpose(tf.matmul(weights, values), [0, 2, 1, 3])  # [B, t, N, D]
        attention = self._attention_layer._output_dense
        kernel = tf.reshape(attention.kernel, [-1, hidden.shape[-1]])
        shape = tf.shape(hidden[:, :output_range])
        attended, states = self._add_and_norm(
            fused.dense(fused.by_rows(context, 2), kernel, attention.bias),
            fused.by_rows(hidden[:, :output_range]),
            self._attention_dropout,
            self._attention_layer_norm,
            training,
        )
        first, second = self._intermediate_dense, self._output_dense
        parts = (states, first.kernel, first.bias)
        if training:
            inner = fused.dense_gelu(*parts, self._gelu)
        else:
            inner = self._intermediate_activation_layer(fused.dense(*parts))
        output, _ = self._add_and_norm(
            fused.dense(tf.cast(inner, self.compute_dtype), second.kernel, second.bias),
            attended,
            self._output_dropout,
            self._output_layer_norm,
            training,
        )
        return tf.ensure_shape(tf.reshape(output, shape), hidden[:, :output_range].shape)

    def _queries_keys_values(self, hidden, output_range):
        """Three [B, N, T, D]; the queries, of the first places alone where `output_range` says so,
        are scaled already.
        """
        attention, size = self._attention_layer, hidden.shape[-1]
        scale = 1 / math.sqrt(self._key_dim)
        parts = [
            (tf.reshape(part.kernel, [size, -1]) * factor, tf.reshape(part.bias, [-1]) * factor)
            for part, factor in (
                (attention._query_dense, scale),
                (attention._key_dense, 1),
                (attention._value_dense, 1),
            )
        ]
        states = tf.cast(hidden, self.compute_dtype)
        if not output_range:
            return self._projected(states, parts)
        return [
            *self._projected(states[:, :output_range], parts[:1]),
            *self._projected(states, parts[1:]),
        ]

    def _projected(self, states, parts):
        """[B, T, H] by several kernels and biases at once: a list of [B, N, T, D]."""
        kernels, biases = zip(*parts)
        product = fused.dense(fused.by_rows(states), tf.concat(kernels, 1), tf.concat(biases, 0))
        length = states.shape[1] or tf.shape(states)[1]
        heads = tf.reshape(product, [-1, length, len(parts), self._num_heads, self._key_dim])
        return tf.unstack(tf.transpose(heads, [2, 0, 3, 1, 4]))

    def _attention_weights(self, scores, bias, training):
        if not training:
            return tf.cast(tf.nn.softmax(tf.cast(scores, tf.float32) + bias), scores.dtype)
        dropout = self._attention_layer._dropout_layer
        return fused.softmax_dropout(scores, bias, _choices(dropout, scores), dropout.rate)

    def _add_and_norm(self, output, residual, dropout, norm, training):
        """Rows [R, H] on rows [R, H] float32: normed, in float32 and in the precision of the
        first.
        """
        if not training:
            total = tf.cast(output, tf.float32) + residual
            normed = fused.layer_norm(total, norm.gamma, norm.beta, norm.epsilon)
            return normed, tf.cast(normed, output.dtype)
        choices = _choices(dropout, output)
        parts = (output, residual, norm.gamma, norm.beta)
        return fused.dropout_add_norm(*parts, choices, dropout.rate, norm.epsilon)


def _build(layer, shape):
    with tf.name_scope(layer.name):
        layer.build(shape)
    layer.built = True


def _choices(dropout, values):
    """What decides which of the values the layer drops; None where it drops none."""
    if not dropout.rate:
        return None
    seed = dropout._random_generator.make_seed_for_stateless_op()
    if seed is None:  # outside a run no step has been named; as the layer itself would draw
        seed = tf.random.uniform([2], maxval=tf.int32.max, dtype=tf.int32)
    return fused.draw_choices(tf.shape(values), seed)


def encoder_blocks(config, gelu: str) -> list[TransformerBlock]:
    """The blocks of a BERT of this config, to be applied one after the other."""
    return [
        TransformerBlock(
            config.num_attention_heads,
            config.intermediate_size,
            gelu,
            config.hidden_dropout_prob,
            config.attention_probs_dropout_prob,
            config.initializer_range,
            config.layer_norm_eps,
            name=f"encoder_layer_{number}",
        )
        for number in range(config.num_hidden_layers)
    ]
