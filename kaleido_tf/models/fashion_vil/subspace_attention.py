"""How a garment is seen where another kind of garment is looked for (CSA-Net: Lin et al.,
"Fashion Outfit Complementary Item Retrieval", CVPR 2020, section 3.1).

N = items, F = size of a vector, K = subspaces, C = categories.
"""

import tensorflow as tf
import tf_keras

from kaleido_tf.models.fashion_vil.layers import torch_dense


class SubspaceAttention(tf_keras.layers.Layer):
    """The mean of K masked copies of a vector, each weighted by what the categories of the item and
    of the item looked for say.

    Inputs: vectors [N, F] float32, categories [N] int of these items, wanted [N] int the categories
    that are looked for. Output: [N, F] float32.

    Args: num_categories: C. num_subspaces: K. hidden_size: of what weighs the subspaces (the
      release: 5 and 64).
    """

    def __init__(self, num_categories, num_subspaces=5, hidden_size=64, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_categories, self.num_subspaces = num_categories, num_subspaces
        self.hidden_size = hidden_size
        self.hidden = torch_dense(hidden_size, 2 * num_categories, activation="relu", name="hidden")
        self.logits = torch_dense(num_subspaces, hidden_size, name="logits")

    def build(self, input_shape):
        self.masks = self.add_weight(
            "masks",
            shape=[self.num_subspaces, input_shape[-1]],
            initializer=tf_keras.initializers.RandomNormal(stddev=1.0),
        )
        super().build(input_shape)

    def call(self, vectors, categories, wanted):
        weights = self.subspace_weights(categories, wanted)
        # The release multiplies, weighs and then averages the K copies; this is the same sum.
        return vectors * tf.matmul(weights, self.masks) / self.num_subspaces

    def subspace_weights(self, categories, wanted) -> tf.Tensor:
        """[N, K] float32 that add up to 1."""
        pair = [tf.one_hot(part, self.num_categories) for part in (categories, wanted)]
        return tf.nn.softmax(self.logits(self.hidden(tf.concat(pair, axis=-1))))

    def get_config(self):
        return {
            **super().get_config(),
            "num_categories": self.num_categories,
            "num_subspaces": self.num_subspaces,
            "hidden_size": self.hidden_size,
        }
