"""The tokenizer computes what the release does."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_vil.patch_tokenizer import Codebook, PatchTokenizer
from kaleido_tf.models.fashion_vil.photo_colours import in_unit_range, normalised
from kaleido_tf.models.fashion_vil.tokenizer_blocks import GroupNorm
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from tests import patch_tokenizer_golden as golden


@pytest.fixture(scope="module")
def tokenizer():
    return golden.tokenizer()


def test_codes_are_those_of_the_release(tokenizer):
    expected = golden.arrays("vqvae_io")
    images = golden.images()
    maps = tokenizer.encoder(images).numpy().transpose(0, 3, 1, 2)
    np.testing.assert_allclose(maps, expected["vqvae/encoder_out_nchw"], atol=1e-4)
    np.testing.assert_allclose(tokenizer.encode(images), expected["vqvae/z"], atol=1e-4)
    codes = tokenizer(images)
    sure = expected["vqvae/top2_margin"] > 1e-4
    assert sure.all() and codes.dtype == tf.int32
    np.testing.assert_array_equal(codes, expected["vqvae/indices"])
    np.testing.assert_allclose(tokenizer.look_up(codes), expected["vqvae/z_q"], atol=1e-6)


def test_nearest_code_and_of_equal_ones_the_first():
    codebook = Codebook(4, 2)
    codebook.weight.assign([[0.0, 3.0], [1.0, 1.0], [0.0, 3.0], [1.0, -1.0]])
    vectors = [[[0.1, 2.5], [1.0, 0.0]], [[5.0, -4.0], [0.8, 0.3]]]
    np.testing.assert_array_equal(codebook(tf.constant(vectors)), [[0, 1], [3, 1]])


def test_group_norm_by_hand():
    maps = np.random.default_rng(3).normal(2, 5, [2, 3, 5, 64]).astype(np.float32)
    layer = GroupNorm()
    layer.build([None, 3, 5, 64])
    layer.gamma.assign(np.arange(64) / 10)
    layer.beta.assign(-np.arange(64) / 7)
    for photo, normed in zip(maps, layer(maps).numpy()):
        for channel in (0, 1, 37, 63):
            first = channel // 2 * 2  # 32 groups of two neighbours
            group = photo[..., first : first + 2]
            expected = (photo[..., channel] - group.mean()) / np.sqrt(group.var() + 1e-6)
            expected = expected * channel / 10 - channel / 7
            np.testing.assert_allclose(normed[..., channel], expected, atol=1e-4)


def test_layer_from_its_config(tokenizer):
    twin = PatchTokenizer.from_config(tokenizer.get_config())
    assert twin.sizes == tokenizer.sizes and twin.name == "image_tokenizer"
    assert not twin.codebook.trainable_weights and len(twin.codebook.weights) == 3


def test_codes_come_in_float32_of_a_half_precise_encoder():
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        tokenizer = golden.tokenizer()
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    z = tokenizer.encode(golden.images())
    assert z.dtype == tf.float32 and tokenizer.encoder(golden.images()).dtype == tf.bfloat16
    expected = golden.arrays("vqvae_io")["vqvae/z"]
    assert 1e-4 < np.abs(z - expected).max() < 0.1 * np.abs(expected).max()


def test_colours_there_and_back():
    photos = np.arange(2 * 3 * 5 * 3, dtype=np.uint8).reshape(2, 3, 5, 3)
    colours = normalised(photos)
    first = (photos[0, 0, 0] / 255 - [0.46777044, 0.44531429, 0.40661017]) / [
        0.12221994,
        0.12145835,
        0.14380469,
    ]
    np.testing.assert_allclose(colours[0, 0, 0], first, rtol=1e-5)
    np.testing.assert_allclose(in_unit_range(colours), photos / 255, atol=1e-6)
    assert in_unit_range(tf.constant([9.0, -9.0, 0.0]))[:2].numpy().tolist() == [1.0, 0.0]


def test_sizes_of_the_release():
    config = TokenizerConfig()
    assert (config.grid, config.stride, config.widths) == (7, 32, (128, 128, 256, 256, 512, 512))
    assert TokenizerConfig.from_dict(config.to_dict()) == config
    small = dataclasses.replace(config, multipliers=(1, 3), image_side=10, hidden_dim=64)
    assert TokenizerConfig.from_dict(small.to_dict()) == small and small.grid == 5


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"hidden_dim": 48}, "`hidden_dim` must be a multiple of 32, .* Received: 48"),
        ({"image_side": 100}, "`image_side` must be a multiple of 32 pixels, .* Received: 100"),
        ({"multipliers": ()}, r"`multipliers` must be whole numbers .* Received: \[\]"),
        ({"multipliers": (1, 0)}, r"`multipliers` must be .* Received: \[1, 0\]"),
        ({"num_codes": True}, "`num_codes` must be a whole number from 1 to .* Received: True"),
        ({"z_channels": 10**9}, "`z_channels` must be a whole number .* Received: 1000000000"),
    ],
)
def test_sizes_that_cannot_be(changes, message):
    with pytest.raises(InputError, match=message):
        TokenizerConfig(**changes)


def test_config_file_is_checked():
    with pytest.raises(InputError, match="x.json: `multipliers` must be tuple. Received: 'a'"):
        TokenizerConfig.from_dict({"multipliers": "a"}, "x.json")
    with pytest.raises(InputError, match="unknown key num_code. Is num_codes meant"):
        TokenizerConfig.from_dict({"num_code": 3})
    with pytest.raises(InputError, match="`model_type` must be fashionvil_tokenizer"):
        TokenizerConfig.from_dict({"model_type": "mvlt"})
