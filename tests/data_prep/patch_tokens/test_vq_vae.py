"""Gradients pass the codes, and the loss is what it says."""

import numpy as np
import pytest
import tensorflow as tf

from data_prep.patch_tokens.photo_decoder import PhotoDecoder
from data_prep.patch_tokens.vq_vae import VqVae, straight_through, vq_loss
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig

CONFIG = TokenizerConfig(
    hidden_dim=32,
    multipliers=(1, 2),
    num_blocks=1,
    z_channels=7,
    code_dim=5,
    num_codes=11,
    image_side=6,
)


def drawn(*shape):
    return tf.constant(np.random.default_rng(len(shape)).normal(size=shape), tf.float32)


def test_gradient_passes_the_codes_as_it_is():
    z, z_q, weights = drawn(2, 3, 5), drawn(1, 2, 3, 5)[0], drawn(3, 5)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([z, z_q])
        through = straight_through(z, z_q)
        loss = tf.reduce_sum(weights * through)
    np.testing.assert_allclose(through, z_q, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, z), np.broadcast_to(weights, [2, 3, 5]))
    assert tape.gradient(loss, z_q) is None


@pytest.mark.parametrize("power, error", [(1, (0.5 + 2 + 0) / 3), (2, (0.25 + 4 + 0) / 3)])
def test_loss_by_hand(power, error):
    photos, reconstruction = tf.constant([1.0, 2.0, 3.0]), tf.constant([1.5, 0.0, 3.0])
    z, z_q = tf.Variable([[1.0, 2.0]]), tf.Variable([[1.0, 5.0]])
    with tf.GradientTape() as tape:
        loss = vq_loss(reconstruction, photos, z, z_q, 0.4, power)
    assert float(loss) == pytest.approx(error + 0.4 * 9 / 2)
    by_z, by_codes = tape.gradient(loss, [z, z_q])
    np.testing.assert_allclose(by_z, [[0.0, 0.4 * 2 * -3 / 2]], rtol=1e-6)
    assert by_codes is None


def test_every_weight_of_both_halves_learns():
    model, photos = VqVae(CONFIG), drawn(4, 6, 6, 3)
    assert model(photos).shape == [4, 6, 6, 3]
    with tf.GradientTape() as tape:
        z = model.tokenizer.encode(photos)
        z_q = model.tokenizer.look_up(model.tokenizer.codebook(z))
        loss = vq_loss(model.decode(straight_through(z, z_q)), photos, z, z_q, 0.25, 2)
    variables = model.trainable_variables
    gradients = tape.gradient(loss, variables)
    without = [v.name for v, g in zip(variables, gradients) if g is None or not np.abs(g).max()]
    # keys are told apart by differences, which a bias does not change
    assert all("key/bias" in name for name in without)
    codebook = {id(v) for v in model.tokenizer.codebook.variables}
    assert not codebook & {id(v) for v in variables}


def test_decoder_mirrors_the_encoder():
    decoder = PhotoDecoder((32, 64, 96), 2, 7)
    assert decoder(drawn(2, 3, 3, 5)).shape == [2, 12, 12, 3]
    assert [len(level.blocks) for level in decoder.levels] == [3, 3, 3]
    assert [len(level.attentions) for level in decoder.levels] == [0, 0, 3]
    twin = PhotoDecoder.from_config(decoder.get_config())
    assert (twin.widths, twin.num_blocks, twin.z_channels) == ((32, 64, 96), 2, 7)
