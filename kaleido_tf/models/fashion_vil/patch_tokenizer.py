"""The patch tokenizer: a photo becomes a grid of codes, which masked patches are told by
(FashionViL's masked patch feature classification; encoder and codebook of a VQ-VAE).

B = images, N = cells (h x w, row by row), D = length of a code, K = number of codes.
"""

import tensorflow as tf
import tf_keras

from kaleido_tf.layers.empty_batches import with_examples
from kaleido_tf.models.fashion_vil.tokenizer_blocks import (
    GroupNorm,
    Halving,
    Level,
    Middle,
    convolution,
)


class TokenizerEncoder(tf_keras.layers.Layer):
    """[B, H, W, 3] float, normalised photos -> [B, h, w, z_channels]. There is attention in the
    last level and in the middle.

    Args: widths: channels of each level; every one but the last halves the map.
    """

    def __init__(self, widths, num_blocks, z_channels, **kwargs):
        super().__init__(**kwargs)
        self.widths, self.num_blocks, self.z_channels = tuple(widths), num_blocks, z_channels
        *above, last = self.widths
        self.first = convolution(self.widths[0], 3, "first")
        self.levels = [
            Level(width, num_blocks, False, name=f"level_{number}")
            for number, width in enumerate(above)
        ]
        self.levels.append(Level(last, num_blocks, True, name=f"level_{len(above)}"))
        self.halvings = [
            Halving(width, name=f"halving_{number}") for number, width in enumerate(above)
        ]
        self.middle = Middle(last, name="middle")
        self.last_norm = GroupNorm(name="last_norm")
        self.last = convolution(z_channels, 3, "last")

    def call(self, images):
        maps = self.first(images)
        for level, halving in zip(self.levels, self.halvings):
            maps = halving(level(maps))
        maps = self.middle(self.levels[-1](maps))
        return self.last(tf.nn.silu(self.last_norm(maps)))

    def get_config(self):
        sizes = {"widths": self.widths, "num_blocks": self.num_blocks}
        return {**super().get_config(), **sizes, "z_channels": self.z_channels}


class Codebook(tf_keras.layers.Layer):
    """K codes, none of them trainable: moving averages of what was assigned to each take a
    gradient's place (van den Oord et al., 2017, appendix A.1).

    Variables: `weight` [K, D] the codes; `cluster_size` [K] and `embed_avg` [K, D], the averages.
    """

    def __init__(self, num_codes, code_dim, **kwargs):
        super().__init__(**kwargs)
        self.num_codes, self.code_dim = num_codes, code_dim
        normal = tf_keras.initializers.RandomNormal(stddev=1.0)
        table, begun = [num_codes, code_dim], {"initializer": "zeros", "trainable": False}
        self.weight = self.add_weight("weight", table, initializer=normal, trainable=False)
        self.cluster_size = self.add_weight("cluster_size", [num_codes], **begun)
        self.embed_avg = self.add_weight("embed_avg", table, **begun)

    def call(self, z):
        """[..., D] -> [...] int32, the number of the nearest code; of equally near ones the
        first.
        """
        products = tf.linalg.matmul(z, self.weight, transpose_b=True)
        sizes = tf.reduce_sum(z**2, -1, keepdims=True) + tf.reduce_sum(self.weight**2, -1)
        return tf.argmin(sizes - 2 * products, axis=-1, output_type=tf.int32)

    def look_up(self, codes: tf.Tensor) -> tf.Tensor:
        """[...] int32 -> [..., D] float32."""
        return tf.gather(self.weight, codes)

    def get_config(self):
        sizes = {"num_codes": self.num_codes, "code_dim": self.code_dim}
        return {**super().get_config(), **sizes}


class PatchTokenizer(tf_keras.layers.Layer):
    """[B, H, W, 3] float, photos normalised as the model's own -> codes [B, N] int32, row by row.

    Args: as `TokenizerConfig` says; `PatchTokenizer(**config.layer_sizes)`.
    """

    def __init__(
        self, hidden_dim, multipliers, num_blocks, z_channels, code_dim, num_codes, **kwargs
    ):
        super().__init__(**kwargs)
        self.sizes = {
            "hidden_dim": hidden_dim,
            "multipliers": tuple(multipliers),
            "num_blocks": num_blocks,
            "z_channels": z_channels,
            "code_dim": code_dim,
            "num_codes": num_codes,
        }
        widths = [hidden_dim * number for number in multipliers]
        self.encoder = TokenizerEncoder(widths, num_blocks, z_channels, name="encoder")
        self.to_code = convolution(code_dim, 1, "to_code")
        # float32 whatever the precision: near codes differ by little
        self.codebook = Codebook(num_codes, code_dim, name="codebook", dtype="float32")

    def call(self, images):
        return self.codebook(self.encode(images))

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """[B, N, D] float32, what the codes are the nearest to."""
        maps = with_examples(lambda given: self.to_code(self.encoder(given)), images)
        height, width, length = maps.shape[1:]
        return tf.cast(tf.reshape(maps, [-1, height * width, length]), tf.float32)

    def look_up(self, codes: tf.Tensor) -> tf.Tensor:
        """z_q [B, N, D] float32 of codes [B, N]."""
        return self.codebook.look_up(codes)

    def get_config(self):
        return {**super().get_config(), **self.sizes}
