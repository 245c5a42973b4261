"""Known names are looked up in the user's home."""

import pathlib

import pytest

from kaleido_tf.compat.checkpoints.model_names import find_model
from kaleido_tf.errors import InputError


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "home", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize("folder", ["imagebert/pai-imagebert-base-en", "pai-imagebert-base-en"])
def test_names_are_found_in_the_zoo(home, folder):
    place = home / ".eztransfer_modelzoo" / folder
    place.mkdir(parents=True)
    assert find_model("pai-imagebert-base-en") == str(place)


def test_name_that_is_not_there_says_which_files_go_where(home):
    with pytest.raises(
        InputError,
        match=r"pai-kaleidobert-base-en needs config.json, vocab.txt and model.ckpt.index.*"
        rf"{home}/.eztransfer_modelzoo/kaleidobert/pai-kaleidobert-base-en",
    ):
        find_model("pai-kaleidobert-base-en")


def test_paths_are_taken_as_they_are(home):
    (home / "model.ckpt-7.index").write_bytes(b"")
    assert find_model(str(home / "model.ckpt-7")) == str(home / "model.ckpt-7")
    assert find_model(str(home)) == str(home)


@pytest.mark.parametrize("path", ["./gone/model.ckpt", "gone", "pai_kaleidobert", "pvt_tiny.pth"])
def test_path_that_is_not_there_is_named(home, path):
    with pytest.raises(InputError, match=f"a .safetensors or .pth file.*Not found: {path}"):
        find_model(path)
