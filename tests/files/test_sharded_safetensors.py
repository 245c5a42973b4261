import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from kaleido_tf.errors import InputError
from kaleido_tf.files.sharded_safetensors import ShardedSafetensors

TENSORS = {"a": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.arange(4)}


def write(folder, weight_map):
    """An index, and beside it the two tensors in a file each."""
    for name, array in TENSORS.items():
        save_file({name: array}, folder / f"{name}.safetensors")
    (folder / "index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder / "index.json"


def test_tensors_are_read_from_the_files_that_hold_them(tmp_path):
    file = ShardedSafetensors(write(tmp_path, {"a": "a.safetensors", "b": "b.safetensors"}))
    assert file.shapes == {"a": (2, 3), "b": (4,)} and file.path == str(tmp_path / "index.json")
    assert file.dtypes == {"a": np.float32, "b": np.int64}
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(file.read(name), array)
    with pytest.raises(InputError, match="index.json lists no c"):
        file.read("c")


@pytest.mark.parametrize(
    "weight_map, message",
    [
        (
            {"a": "a.safetensors", "b": "gone.safetensors"},
            "index.json needs the 2 files that it lists. Not found: gone.safetensors",
        ),
        ({"b": "a.safetensors"}, "index.json lists tensors that their files do not hold: b"),
        ({"a": "../a.safetensors"}, "needs a `weight_map` .*names of the files beside it"),
        ({"a": 3}, "needs a `weight_map`"),
        ({"a": ["a.safetensors"]}, "needs a `weight_map`"),
        ({"a": ""}, "needs a `weight_map`"),
        ({}, "needs a `weight_map`"),
        (None, "needs a `weight_map`"),
        ("a.safetensors", "needs a `weight_map`"),
    ],
)
def test_index_that_cannot_be_followed(tmp_path, weight_map, message):
    with pytest.raises(InputError, match=message):
        ShardedSafetensors(write(tmp_path, weight_map))
