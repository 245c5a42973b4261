"""Heads on the encoder's outputs (Kaleido-BERT, section 3.6). Logits are float32 whatever the precision.

B = batch, P = patches of a level, K = masked patches, H = hidden size, F = feature size.
"""

import tensorflow as tf
import tf_keras


class Pooler(tf_keras.layers.Layer):
    """Dense and tanh on the first place ([CLS]). [B, T, H] -> [B, H]."""

    def __init__(self, hidden_size, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.initializer_range = initializer_range
        initializer = tf_keras.initializers.TruncatedNormal(stddev=initializer_range)
        self.dense = tf_keras.layers.Dense(hidden_size, activation="tanh", kernel_initializer=initializer, name="dense")

    def call(self, hidden):
        return self.dense(hidden[:, 0])

    def get_config(self):
        return {**super().get_config(), "hidden_size": self.hidden_size, "initializer_range": self.initializer_range}


class LevelClassifier(tf_keras.layers.Layer):
    """Classifies a whole kaleido level, or the pooled output as a level of one. [B, P, H] -> [B, num_classes]."""

    def __init__(self, num_classes, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.initializer_range = initializer_range
        initializer = tf_keras.initializers.TruncatedNormal(stddev=initializer_range)
        self.logits = tf_keras.layers.Dense(num_classes, kernel_initializer=initializer, dtype="float32", name="logits")

    def call(self, hidden):
        patches, width = hidden.shape[1:]
        return self.logits(tf.reshape(hidden, [-1, patches * width]))

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "initializer_range": self.initializer_range,
        }


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
            feature_size, use_bias=False, kernel_initializer=initializer, dtype="float32", name="logits"
        )

    def call(self, hidden, positions):
        return self.logits(gather_places(hidden, positions))

    def get_config(self):
        return {
            **super().get_config(),
            "feature_size": self.feature_size,
            "initializer_range": self.initializer_range,
        }


def gather_places(values, positions):
    """The listed places of each example: [B, P, H], [B, K] int -> [B, K, H]."""
    return tf.gather(values, positions, batch_dims=1)
