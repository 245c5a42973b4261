"""Tokenizers written and read, under the release's names."""

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.files.safetensors_file import SafetensorsFile, write_safetensors
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from kaleido_tf.models.fashion_vil.tokenizer_file import (
    WEIGHTS_NAME,
    build_tokenizer,
    load_tokenizer,
    save_tokenizer,
)
from kaleido_tf.models.fashion_vil.tokenizer_names import PREFIX, tokenizer_names
from tests import patch_tokenizer_golden as golden
from tests.torch_files import write_torch_file

SMALL = TokenizerConfig(
    hidden_dim=32,
    multipliers=(1, 2),
    num_blocks=1,
    z_channels=7,
    code_dim=5,
    num_codes=11,
    image_side=6,
)


def tensors(config=SMALL):
    """A small tokenizer's weights by the release's names."""
    entries = tokenizer_names(build_tokenizer(config)).items()
    return {name: entry.to_original(entry.variable.numpy()) for name, entry in entries}


def with_config(folder, config=SMALL):
    write_json(folder / "config.json", config.to_dict())
    return folder


def test_every_key_of_the_full_size_is_known_once():
    names = tokenizer_names(build_tokenizer(TokenizerConfig()))
    assert {key: entry.original_shape for key, entry in names.items()} == golden.full_size_shapes()
    assert len({id(entry.variable) for entry in names.values()}) == len(names) == 167


def test_release_is_read_with_and_without_its_prefix(tmp_path, capsys):
    """As in the whole model's state dict, beside other weights, and as in the tokenizer's own."""
    with_config(tmp_path, golden.config())
    state = golden.state_dict()
    whole, alone = tmp_path / "whole.pth", tmp_path / "alone.pt"
    write_torch_file(whole, {"model": {"bert.weight": np.ones(3, np.float32), **state}})
    write_torch_file(alone, {name.removeprefix(PREFIX): array for name, array in state.items()})
    expected = golden.arrays("vqvae_io")["vqvae/indices"]
    for path in (whole, alone):
        tokenizer = load_tokenizer(path, grid=3, num_codes=1024)
        np.testing.assert_array_equal(tokenizer(golden.images()), expected)
        assert not tokenizer.trainable_weights
    told = capsys.readouterr().out
    assert told.count("tensors are no part") == 1 and "1 tensors" in told and "bert.weight" in told


def test_written_and_read_again(tmp_path):
    tokenizer = golden.tokenizer()
    save_tokenizer(tmp_path, golden.config(), tokenizer)
    file = SafetensorsFile(tmp_path / WEIGHTS_NAME)
    assert {PREFIX + name for name in file.shapes} == set(golden.state_dict())
    for name in file.shapes:
        np.testing.assert_array_equal(file.read(name), golden.state_dict()[PREFIX + name])
    again = load_tokenizer(tmp_path)
    np.testing.assert_array_equal(again(golden.images()), tokenizer(golden.images()))


@pytest.mark.parametrize(
    "needed, message",
    [
        ({"grid": 7}, "A patch tokenizer of 7 cells a side is needed. .* has 3"),
        ({"num_codes": 1024}, "A patch tokenizer of 1024 codes is needed. .* has 11"),
    ],
)
def test_another_grid_or_number_of_codes_is_refused(tmp_path, needed, message):
    write_safetensors(with_config(tmp_path) / WEIGHTS_NAME, tensors(), {})
    assert load_tokenizer(tmp_path, grid=3, num_codes=11).sizes == SMALL.layer_sizes
    with pytest.raises(InputError, match=message):
        load_tokenizer(tmp_path, **needed)


def without(name):
    return lambda state: state.pop(name)


def changed(name, array):
    return lambda state: state.update({name: array})


@pytest.mark.parametrize(
    "change, message",
    [
        (
            changed("quant_conv.bias", np.zeros(9, np.float32)),
            r"does not fit its config.json .* quant_conv.bias needs \[5\], found \[9\]",
        ),
        (
            without("encoder.mid.attn_1.q.weight"),
            r"encoder.mid.attn_1.q.weight needs \[64, 64, 1, 1\], found nothing",
        ),
        (
            changed("quant_conv.bias", np.full(5, np.nan, np.float32)),
            "weights must be finite numbers. Received: NaN or infinity in quant_conv.bias",
        ),
        (without("encoder.conv_in.weight"), "Weights of one patch tokenizer .* those of 0"),
        (
            changed("ema.encoder.conv_in.weight", np.zeros(2, np.float32)),
            "Weights of one patch tokenizer .* those of 2",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, change, message):
    state = tensors()
    change(state)
    write_safetensors(with_config(tmp_path) / WEIGHTS_NAME, state, {})
    with pytest.raises(InputError, match=message):
        load_tokenizer(tmp_path)


def test_without_a_config_the_sizes_are_the_release_s(tmp_path):
    write_safetensors(tmp_path / WEIGHTS_NAME, tensors(), {})
    with pytest.raises(
        InputError, match=r"the release's sizes\): .*needs \[128, 3, 3, 3\], found \[32, 3, 3, 3\]"
    ):
        load_tokenizer(tmp_path)


def test_folder_needs_one_file_of_weights(tmp_path):
    with pytest.raises(InputError, match="with one. Received: .*gone, where there is none"):
        load_tokenizer(tmp_path / "gone")
    with pytest.raises(InputError, match="with one. Received: .*, where there is none"):
        load_tokenizer(with_config(tmp_path))
    for name in ("a.pth", "b.safetensors"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"which holds 2 \(a.pth, b.safetensors\)"):
        load_tokenizer(tmp_path)


def test_damaged_file_is_refused(tmp_path):
    (with_config(tmp_path) / "a.pth").write_bytes(b"no archive")
    with pytest.raises(InputError, match="A PyTorch file .* is needed. .*a.pth is none"):
        load_tokenizer(tmp_path)
