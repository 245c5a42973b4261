import pathlib
import shutil

import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.training.checkpoints import (
    Checkpoint,
    CheckpointManager,
    find_checkpoint,
    is_own_checkpoint,
    load_own_checkpoint,
    model_files,
)
from tests.golden_files import checkpoint_in, kaleido_bert


def test_original_checkpoint_is_told_from_an_own_one():
    prefix = checkpoint_in(kaleido_bert())
    assert find_checkpoint(prefix) == prefix and not is_own_checkpoint(prefix)
    assert model_files(prefix) == (kaleido_bert() / "config.json", kaleido_bert() / "vocab.txt")


def test_nothing_there(tmp_path):
    assert find_checkpoint(str(tmp_path)) is None and find_checkpoint(str(tmp_path / "x")) is None


def test_damaged_checkpoint_is_named(tmp_path):
    pathlib.Path(tmp_path / "model.ckpt-3.index").write_bytes(b"damaged")
    with pytest.raises(InputError, match="model.ckpt-3 cannot be read"):
        is_own_checkpoint(str(tmp_path / "model.ckpt-3"))


FOLDERS = ("run[1]", "shop [2024] *new*", "a?b", "back\\slash", "über uns/modèle")


def saved_in(folder, steps, max_to_keep):
    """A model of one layer, saved after each of `steps` with its weights at the step's number."""
    model = tf_keras.Sequential([tf_keras.layers.Dense(3, use_bias=False)])
    model.build([None, 2])
    manager = CheckpointManager(Checkpoint(model=model), str(folder), max_to_keep)
    for step in steps:
        model.layers[0].kernel.assign(tf.fill([2, 3], float(step)))
        manager.save(step)
    return model


@pytest.mark.parametrize("name", FOLDERS)
def test_limit_and_restoring_in_folders_of_any_name(tmp_path, name):
    saved_in(tmp_path / "run1", [1, 2, 3], 3)  # what a glob of `run[1]` matches
    model = saved_in(tmp_path / name, [1, 2, 3, 4], 2)
    assert len(list((tmp_path / "run1").glob("*.index"))) == 3
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
        "checkpoint",
        *(f"ckpt-{step}.{end}" for step in (3, 4) for end in ("data-00000-of-00001", "index")),
    ]
    prefix = find_checkpoint(str(tmp_path / name))
    assert prefix == str(tmp_path / name / "ckpt-4") and is_own_checkpoint(prefix)
    model.layers[0].kernel.assign(tf.zeros([2, 3]))
    load_own_checkpoint(model, str(tmp_path / name / "ckpt-3"))
    assert (model.layers[0].kernel.numpy() == 3.0).all()
    manager = CheckpointManager(Checkpoint(model=model), str(tmp_path / name), 2)
    assert manager.restore_or_initialize() == prefix
    assert (model.layers[0].kernel.numpy() == 4.0).all()


def test_hidden_files_are_no_checkpoints(tmp_path):
    saved_in(tmp_path / "m", [5], 2)
    (tmp_path / "m" / "checkpoint").unlink()
    (tmp_path / "m" / "._ckpt-5.index").write_bytes(b"Mac OS X")
    assert find_checkpoint(str(tmp_path / "m")) == str(tmp_path / "m" / "ckpt-5")


def test_latest_checkpoint_that_was_not_copied_is_named(tmp_path):
    saved_in(tmp_path / "m", [5, 6], 2)
    (tmp_path / "m" / "ckpt-6.index").unlink()
    with pytest.raises(InputError, match="m/checkpoint names ckpt-6 .* There are: .*/ckpt-5. Give"):
        find_checkpoint(str(tmp_path / "m"))


def test_copied_folder_is_read_itself_though_it_names_the_old_place(tmp_path):
    saved_in(tmp_path / "old", [5], 2)
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    line = f'model_checkpoint_path: "{tmp_path}/old/ckpt-5"\n'
    (tmp_path / "new" / "checkpoint").write_text(line)
    assert find_checkpoint(str(tmp_path / "new")) == str(tmp_path / "new" / "ckpt-5")
