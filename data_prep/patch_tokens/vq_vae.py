"""The VQ-VAE (van den Oord et al., 2017) around a patch tokenizer, without a discriminator.

B = images, N = cells, D = length of a code.
"""

import tensorflow as tf
import tf_keras

from data_prep.patch_tokens.photo_decoder import PhotoDecoder
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from kaleido_tf.models.fashion_vil.tokenizer_file import build_tokenizer


class VqVae(tf_keras.Model):
    """[B, H, W, 3] normalised photos -> their reconstruction, float32, of the codes alone.

    Attributes: config; tokenizer; decoder.
    """

    def __init__(self, config: TokenizerConfig, **kwargs):
        super().__init__(**kwargs)
        self.config, self.tokenizer = config, build_tokenizer(config)
        self.decoder = PhotoDecoder(
            config.widths, config.num_blocks, config.z_channels, name="decoder"
        )

    def call(self, images):
        return self.decode(self.tokenizer.look_up(self.tokenizer(images)))

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """[B, N, D] -> [B, H, W, 3] float32."""
        grid, length = self.config.grid, self.config.code_dim
        return self.decoder(tf.reshape(codes, [-1, grid, grid, length]))


def straight_through(z: tf.Tensor, z_q: tf.Tensor) -> tf.Tensor:
    """The codes z_q, whose gradient goes to z as it is."""
    return z + tf.stop_gradient(z_q - z)


def vq_loss(
    reconstruction: tf.Tensor,
    images: tf.Tensor,
    z: tf.Tensor,
    z_q: tf.Tensor,
    commitment: float,
    power: int,
) -> tf.Tensor:
    """The mean error of a colour (its absolute value for `power` 1, its square for 2) and
    `commitment` times the mean squared distance of z from its codes, which moves z alone. A scalar.
    """
    error = tf.abs(reconstruction - images) ** power
    distance = tf.reduce_mean((z - tf.stop_gradient(z_q)) ** 2)
    return tf.reduce_mean(error) + commitment * distance
