import pathlib

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.training.checkpoints import find_checkpoint, is_own_checkpoint, model_files


def test_original_checkpoint_is_told_from_an_own_one(golden_dir):
    prefix = str(golden_dir / "kaleidobert_tiny" / "ptv6" / "model.ckpt-1000")
    assert find_checkpoint(prefix) == prefix and not is_own_checkpoint(prefix)
    assert model_files(prefix) == (
        golden_dir / "kaleidobert_tiny/ptv6/config.json",
        golden_dir / "kaleidobert_tiny/ptv6/vocab.txt",
    )


def test_nothing_there(tmp_path):
    assert find_checkpoint(str(tmp_path)) is None and find_checkpoint(str(tmp_path / "x")) is None


def test_damaged_checkpoint_is_named(tmp_path):
    pathlib.Path(tmp_path / "model.ckpt-3.index").write_bytes(b"damaged")
    with pytest.raises(InputError, match="model.ckpt-3 cannot be read"):
        is_own_checkpoint(str(tmp_path / "model.ckpt-3"))
