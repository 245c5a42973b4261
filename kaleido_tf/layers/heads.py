"""Heads on the encoder's outputs (Kaleido-BERT, section 3.6). Logits are float32 whatever the
precision.

B = batch, P = patches of a level, K = masked patches, H = hidden size, F = feature size.
"""

import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers as tfm_layers


class Pooler(tf_keras.layers.Layer):
    """Dense and tanh on the first place ([CLS]). [B, T, H] -> [B, H]."""

    def __init__(self, hidden_size, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.initializer_range = initializer_range
        initializer = tf_keras.initializers.TruncatedNormal(stddev=initializer_range)
        self.dense = tf_keras.layers.Dense(
            hidden_size, activation="tanh", kernel_initializer=initializer, name="dense"
        )

    def call(self, hidden):
        return self.dense(hidden[:, 0])

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "initializer_range": self.initializer_range,
        }


class LevelClassifier(tf_keras.layers.Layer):
    """Classifies a whole kaleido level, or the pooled output as a level of one. [B, P, H] -> [B,
    num_classes].
    """

    def __init__(self, num_classes, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.initializer_range = initializer_range
        initializer = tf_keras.initializers.TruncatedNormal(stddev=initializer_range)
        self.logits = tf_keras.layers.Dense(
            num_classes, kernel_initializer=initializer, dtype="float32", name="logits"
        )

    def call(self, hidden):
        patches, width = hidden.shape[1:]
        return self.logits(tf.reshape(hidden, [-1, patches * width]))

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "initializer_range": self.initializer_range,
        }


class MaskedLanguage(tfm_layers.MaskedLM):
    """BERT's masked-language head, decoding with the word embeddings. [B, T, H], positions [B, K]
    int below T -> [B, K, vocabulary] float32 logits.

    Args: those of tf-models-official's, whose layer norm has an epsilon of its own, without
      `output`, and layer_norm_eps.
    """

    def __init__(self, *args, layer_norm_eps, **kwargs):
        super().__init__(*args, **kwargs)
        self.layer_norm_eps = layer_norm_eps

    def build(self, input_shape):
        super().build(input_shape)
        self.layer_norm.epsilon = self.layer_norm_eps

    def call(self, hidden, positions):
        words = self.layer_norm(self.dense(self._gather_indexes(hidden, positions)))
        table = tf.cast(self.embedding_table, words.dtype)
        logits = tf.cast(tf.matmul(words, table, transpose_b=True), tf.float32)
        logits += tf.cast(self.bias, tf.float32)
        shape = [known or tf.shape(positions)[axis] for axis, known in enumerate(positions.shape)]
        return tf.reshape(logits, [*shape, self.embedding_table.shape[0]])


class UsedPlaces(tf_keras.layers.Layer):
    """The masked places that are used, of all examples in one row, so that a vocabulary is not
    predicted for empty slots.

    Inputs: hidden [B, T, H], positions, ids [B, K] int, weights [B, K] (0: an unused slot).
    Output: hidden [1, N, H], positions [1, N] (0 to N - 1), ids, weights [1, N] of the N used
      slots.
    """

    def call(self, hidden, positions, ids, weights):
        used = tf.where(weights > 0)
        examples = tf.cast(used[:, :1], positions.dtype)
        places = tf.concat([examples, tf.gather_nd(positions, used)[:, None]], axis=1)
        row = tf.range(tf.shape(used)[0])
        parts = tf.gather_nd(hidden, places), row, tf.gather_nd(ids, used)
        return [part[None] for part in (*parts, tf.gather_nd(weights, used))]


class PatchReconstruction(tf_keras.layers.Layer):
    """Predicts the features of masked patches; no bias and no transform, as in the original.

    Inputs: hidden [B, P, H] of the level; positions [B, K] int below P.
    Output: [B, K, F] float32 logits of a distribution over features.
    """

    def __init__(self, feature_size, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.feature_size = feature_size
        self.initializer_range = initializer_range
        initializer = tf_keras.initializers.TruncatedNormal(stddev=initializer_range)
        self.logits = tf_keras.layers.Dense(
            feature_size,
            use_bias=False,
            kernel_initializer=initializer,
            dtype="float32",
            name="logits",
        )

    def call(self, hidden, positions):
        return self.logits(gather_places(hidden, positions))

    def get_config(self):
        return {
            **super().get_config(),
            "feature_size": self.feature_size,
            "initializer_range": self.initializer_range,
        }


class EmbeddingSimilarity(tf_keras.layers.Layer):
    """How well a text and an image agree before the encoder sees them; added to the logit of a
    match.

    Not in the original. A small catalogue does not teach an encoder to compare as finely as the
    embeddings agree already after a contrastive start (objectives/contrastive_start.py); this term
    lets the matching head use both.

    Inputs: text [B, S, H], mask [B, S] int (1 token, 0 padding), patches [B, 55, H]: embeddings.
    Output: [B] float32, `exp(log_scale) * cosine + bias`. All in float32, also in mixed precision:
      the scale is above ten
    and the cosines of candidates differ in their second digit.
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.log_scale = self.add_weight("log_scale", shape=[], initializer="zeros")
        self.bias = self.add_weight("bias", shape=[], initializer="zeros")

    def call(self, text, mask, patches):
        text, image = unit_means(text, tf.cast(mask, tf.float32), patches)
        return tf.exp(self.log_scale) * tf.reduce_sum(text * image, axis=-1) + self.bias


def unit_means(text, weights, patches):
    """Mean embedding of the tokens, by `weights` [B, S] float, and of the patches: ([B, H], [B, H])
    float32 of length 1.
    """
    text = tf.reduce_sum(tf.cast(text, tf.float32) * weights[..., None], axis=1)
    image = tf.reduce_mean(tf.cast(patches, tf.float32), axis=1)
    return tf.math.l2_normalize(text, axis=-1), tf.math.l2_normalize(image, axis=-1)


def gather_places(values, positions):
    """The listed places of each example: [B, P, H], [B, K] int -> [B, K, H]."""
    return tf.gather(values, positions, batch_dims=1)
