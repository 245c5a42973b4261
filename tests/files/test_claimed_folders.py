import json

import pytest
import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import claim_folder
from kaleido_tf.files.tfrecord_files import shard_path, write_shard
from kaleido_tf.files.whole_files import write_json


def test_shard_appears_whole(tmp_path):
    path = shard_path(tmp_path, 3, 12)
    assert path.name == "records-00003-of-00012.tfrecord"
    assert write_shard(path, [b"one", b"two"]) == 2
    assert list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) == [b"one", b"two"]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_interrupted_shard_leaves_nothing(tmp_path):
    def records():
        yield b"one"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "a.tfrecord", records())
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--output_dir cannot be made: .*file"):
        claim_folder(tmp_path / "file" / "sub", {})


def test_foreign_shards_are_not_mixed_in(tmp_path):
    (tmp_path / "x.tfrecord").write_bytes(b"")
    with pytest.raises(InputError, match="shards of unknown origin"):
        claim_folder(tmp_path, {"a": 1})


def test_json_is_written_whole(tmp_path):
    write_json(tmp_path / "a.json", {"é": [1]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"é": [1]}
    with pytest.raises(InputError, match="could not be written"):
        write_json(tmp_path / "gone" / "a.json", {})
