"""MVLT from the release's files to ours and back."""

import dataclasses
import json

import numpy as np
import pytest

from kaleido_tf.compat.checkpoints.conversion import convert
from kaleido_tf.compat.checkpoints.weights import find_weights, kind_of, open_weights
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_config
from kaleido_tf.files.safetensors_file import SafetensorsFile
from kaleido_tf.models.mvlt.model import Mvlt
from tests.mvlt_golden import config
from tests.mvlt_state import as_released, assert_same, state_for
from tests.torch_files import write_torch_file

HEADS = {
    "pretrainer": ("masked_lm", "next_sentence", "image"),
    "classifier": ("category", "subcategory"),
}


@pytest.fixture(scope="module", params=HEADS)
def released(request, tmp_path_factory):
    """A folder with the release's file, its state dict, and its heads."""
    small = dataclasses.replace(config(), depths=(1, 1, 1, 1))
    model = Mvlt(small)
    getattr(model, request.param)
    folder = tmp_path_factory.mktemp(request.param)
    state = state_for(model)
    write_torch_file(folder / "release.pth", as_released(state, "module."))
    (folder / "config.json").write_text(json.dumps(small.to_dict()))
    return folder, state, HEADS[request.param]


def test_there_and_back_to_the_bit(released, tmp_path):
    folder, state, heads = released
    report = convert(str(folder), str(tmp_path / "own"), "own")
    assert report.kinds == ("pth", "own") and report.unused == ()
    assert "read was its entry `model`, without `module.` before the names" in str(report)
    assert report.variables == len(state) and report.num_bytes == sum(
        array.nbytes for array in state.values()
    )
    assert read_config(tmp_path / "own" / "config.json") == read_config(folder / "config.json")
    convert(str(tmp_path / "own"), str(tmp_path / "st"), "safetensors")
    path = find_weights(tmp_path / "st")
    weights = open_weights(path)
    assert_same(weights, state)
    assert (kind_of(path), weights.heads) == ("safetensors", heads)
    assert SafetensorsFile(path).metadata["model_type"] == "mvlt"


def test_release_to_safetensors_tensor_by_tensor(released, tmp_path):
    """Without a model: counts of steps stay, too."""
    state = released[1]
    counts = [key for key in state if key.endswith("num_batches_tracked")]
    state = {**state, **{key: np.array(1735, np.int64) for key in counts}}
    write_torch_file(tmp_path / "release.pth", as_released(state))
    report = convert(str(tmp_path / "release.pth"), str(tmp_path / "st"), "safetensors")
    assert "carried over as they are" in str(report)
    assert_same(open_weights(find_weights(tmp_path / "st")), state)


@pytest.mark.parametrize("kind, what", [("tf1", "TF1 checkpoint"), ("hf", "text encoder")])
def test_what_has_no_bert_is_refused(released, tmp_path, kind, what):
    folder = released[0]
    with pytest.raises(
        InputError, match=f"release.pth cannot be a {what}: .*state dict of PyTorch"
    ):
        convert(str(folder), str(tmp_path / "out"), kind)
    assert list(tmp_path.iterdir()) == []
