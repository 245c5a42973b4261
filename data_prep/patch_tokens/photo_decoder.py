"""The decoder of a VQ-VAE, the encoder's mirror image (Esser et al., 2021): only training needs it.

B = images, h, w = cells, D = length of a code.
"""

import tensorflow as tf
import tf_keras

from kaleido_tf.models.fashion_vil.tokenizer_blocks import GroupNorm, Level, Middle, convolution
from kaleido_tf.records.photo import CHANNELS


class Doubling(tf_keras.layers.Layer):
    """Every cell four times, then a convolution. [B, h, w, C] -> [B, 2 h, 2 w, C]."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.enlarged = tf_keras.layers.UpSampling2D(name="enlarged")
        self.convolution = convolution(width, 3, "convolution")

    def call(self, maps):
        return self.convolution(self.enlarged(maps))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


class PhotoDecoder(tf_keras.layers.Layer):
    """[B, h, w, D] codes -> [B, H, W, 3] float32 normalised colours. A level has one residual block
    more than the encoder's.

    Args: widths: channels of the encoder's levels, from fine to coarse.
    """

    def __init__(self, widths, num_blocks, z_channels, **kwargs):
        super().__init__(**kwargs)
        self.widths, self.num_blocks, self.z_channels = tuple(widths), num_blocks, z_channels
        coarsest = len(self.widths) - 1
        self.from_code = convolution(z_channels, 1, "from_code")
        self.first = convolution(self.widths[-1], 3, "first")
        self.middle = Middle(self.widths[-1], name="middle")
        self.levels = [
            Level(width, num_blocks + 1, number == coarsest, name=f"level_{number}")
            for number, width in enumerate(self.widths)
        ]
        self.doublings = [
            Doubling(width, name=f"doubling_{number}")
            for number, width in enumerate(self.widths[1:], 1)
        ]
        self.last_norm = GroupNorm(name="last_norm")
        self.last = convolution(CHANNELS, 3, "last")

    def call(self, codes):
        maps = self.middle(self.first(self.from_code(codes)))
        for level, doubling in zip(self.levels[:0:-1], self.doublings[::-1]):
            maps = doubling(level(maps))
        maps = self.levels[0](maps)
        return tf.cast(self.last(tf.nn.silu(self.last_norm(maps))), tf.float32)

    def get_config(self):
        sizes = {"widths": self.widths, "num_blocks": self.num_blocks}
        return {**super().get_config(), **sizes, "z_channels": self.z_channels}
