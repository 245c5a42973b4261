"""Heads on the words of the last stage. Logits are float32 whatever the precision.

B = batch, L = places, C = width of the last stage, D = hidden size.
"""

import tf_keras

from kaleido_tf.models.mvlt.blocks import NORM_EPSILON
from kaleido_tf.models.mvlt.initializers import dense


class HeadAdapter(tf_keras.layers.Layer):
    """Brings the last stage to the width of the heads; each head has its own. [B, L, C] -> [B, L,
    D].
    """

    def __init__(self, hidden_size, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size, self.initializer_range = hidden_size, initializer_range
        self.projection = dense(hidden_size, initializer_range, name="projection")
        self.layer_norm = tf_keras.layers.LayerNormalization(
            epsilon=NORM_EPSILON, name="layer_norm"
        )

    def call(self, hidden):
        return self.layer_norm(self.projection(hidden))

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "initializer_range": self.initializer_range,
        }


class FirstWordClassifier(tf_keras.layers.Layer):
    """Classifies a pair by the state of its first word ([CLS]), which has seen the image. [B, C] ->
    [B, num_classes].

    The release has two biases, of which only the sum counts; both are kept, as both are in its
    checkpoints.
    """

    def __init__(self, num_classes, hidden_size, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.num_classes, self.hidden_size = num_classes, hidden_size
        self.initializer_range = initializer_range
        self.adapter = HeadAdapter(hidden_size, initializer_range, name="adapter")
        self.logits = dense(num_classes, initializer_range, dtype="float32", name="logits")

    def build(self, input_shape):
        self.second_bias = self.add_weight(
            "second_bias",
            [self.num_classes],
            dtype="float32",
            initializer="zeros",
            experimental_autocast=False,  # added to float32 logits
        )
        super().build(input_shape)

    def call(self, state):
        return self.logits(self.adapter(state)) + self.second_bias

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "hidden_size": self.hidden_size,
            "initializer_range": self.initializer_range,
        }
