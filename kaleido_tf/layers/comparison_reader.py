"""How the encoder is told what a comparison below it has found.

B = pairs, S = text length, H = hidden size.
"""

import tensorflow as tf
import tf_keras

WORD_FACTS = 3
"""What a comparison tells of a word: how well it fits, its weight, how rare it is."""


class ComparisonReader(tf_keras.layers.Layer):
    """Adds to each word's embedding how well the word fits the image, and weighs the comparison's
    score against what the encoder makes of them. Not in the original.

    Inputs: fits [B, S, 3] float32 and score [B] float32, as `TextImageComparison` gives them.
    Output: ([B, S, H], what is added to the text's embeddings; [B] float32, the weighted score).
    A new one adds nothing and passes the score on as it is.

    Args: size: H.
    """

    def __init__(self, size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        spread = tf_keras.initializers.TruncatedNormal(stddev=WORD_FACTS**-0.5)
        # Made here, as the comparison's are, and not where the layer is first called: a checkpoint
        # holds them whichever functional model was used.
        self.inner = self.add_weight("inner", [WORD_FACTS, size], initializer=spread)
        self.inner_bias = self.add_weight("inner_bias", [size], initializer="zeros")
        self.outer = self.add_weight("outer", [size, size], initializer="zeros")
        self.score_weight = self.add_weight(
            "score_weight", [], dtype="float32", initializer="ones", experimental_autocast=False
        )

    def call(self, fits, score):
        inner = tf.matmul(tf.cast(fits, self.compute_dtype), self.inner) + self.inner_bias
        added = tf.matmul(tf_keras.activations.gelu(inner), self.outer)
        return added, self.score_weight * tf.cast(score, tf.float32)

    def get_config(self):
        return {**super().get_config(), "size": self.size}
