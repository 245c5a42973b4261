import json
import os
import struct

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kaleido_tf.compat.checkpoints.tf1_checkpoint import Tf1Checkpoint
from kaleido_tf.errors import InputError
from kaleido_tf.files.safetensors_file import SafetensorsFile, write_safetensors
from tests.golden_files import checkpoint_in, kaleido_bert, training_checkpoint


@pytest.mark.parametrize(
    "prefix", [checkpoint_in(kaleido_bert()), training_checkpoint()], ids=["model", "training"]
)
def test_round_trip_of_a_checkpoint_is_equal_to_the_bit(tmp_path, prefix):
    source = Tf1Checkpoint(prefix)
    lazy = {key: lambda key=key: source.read(key) for key in source.shapes}
    tensors = {
        key: read if number % 2 else read() for number, (key, read) in enumerate(lazy.items())
    }
    write_safetensors(tmp_path / "new" / "m.safetensors", tensors, {"model_type": "kaleidobert"})
    assert os.listdir(tmp_path / "new") == ["m.safetensors"]
    file = SafetensorsFile(tmp_path / "new" / "m.safetensors")
    assert file.metadata == {"model_type": "kaleidobert"} and file.shapes == source.shapes
    others = load_file(tmp_path / "new" / "m.safetensors")
    for key in source.shapes:
        array = np.asarray(source.read(key))
        for read in (file.read(key), others[key]):
            assert (
                read.dtype == array.dtype
                and read.shape == array.shape
                and read.tobytes() == array.tobytes()
            ), key


def test_transposed_arrays_and_scalars_keep_their_values(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    write_safetensors(
        tmp_path / "m", {"a": array, "s": np.float32(7), "f": np.asfortranarray(array)}, {}
    )
    file = SafetensorsFile(tmp_path / "m")
    assert file.shapes == {"a": (3, 2), "s": (), "f": (3, 2)} and file.metadata == {}
    np.testing.assert_array_equal(file.read("a"), array)
    np.testing.assert_array_equal(file.read("f"), array)
    assert file.read("s") == 7


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_floats_of_any_width_become_float32(tmp_path, kind):
    save_file({"x": np.array([1.5, -2.25, 3e4], kind)}, tmp_path / "m")
    read = SafetensorsFile(tmp_path / "m").read("x")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, np.array([1.5, -2.25, 3e4], kind).astype(np.float32))


def test_counts_stay_counts(tmp_path):
    save_file({"x": np.array([2**40, -1]), "y": np.array([True])}, tmp_path / "m")
    file = SafetensorsFile(tmp_path / "m")
    assert (
        file.read("x").dtype == np.int64
        and file.read("x").tolist() == [2**40, -1]
        and file.read("y").dtype == bool
    )


def test_failed_write_leaves_what_was_there(tmp_path):
    write_safetensors(tmp_path / "m", {"x": np.zeros(3)}, {})

    def fails():
        raise KeyError("on the way")

    with pytest.raises(KeyError):
        write_safetensors(tmp_path / "m", {"a": np.zeros(3), "b": fails}, {})
    assert os.listdir(tmp_path) == ["m"] and SafetensorsFile(tmp_path / "m").shapes == {"x": (3,)}
    with pytest.raises(InputError, match="m/n could not be written"):
        write_safetensors(tmp_path / "m" / "n", {"a": np.zeros(3)}, {})


def file_of(header, data=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "safetensors file is needed. .*m cannot be read"),
        (b"no tensors in here", "cannot be read"),
        (b"\xff" * 99, "cannot be read"),
        (
            file_of({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(5)),
            "cannot be read",
        ),
        (
            file_of({"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, bytes(8)),
            "cannot be read",
        ),
        (
            file_of({"x": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}, bytes(2)),
            r"m: needed tensors of F64, .* x \(F8_E4M3\)",
        ),
    ],
)
def test_files_that_are_none(tmp_path, content, message):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(InputError, match=message):
        SafetensorsFile(tmp_path / "m")


def test_missing_files_and_names(tmp_path):
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(InputError, match="safetensors file is needed. .* cannot be read"):
            SafetensorsFile(path)
    write_safetensors(tmp_path / "m", {"x": np.zeros(3)}, {})
    with pytest.raises(InputError, match="m holds no y"):
        SafetensorsFile(tmp_path / "m").read("y")
