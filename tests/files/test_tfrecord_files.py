"""Shards of records: written whole, and where their records lie."""

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.files.tfrecord_files import HEAD, TAIL, record_starts, shard_path, write_shard


def test_records_lie_where_the_starts_say(tmp_path):
    path = shard_path(tmp_path / "new", 1, 12)
    contents = [b"a" * 7, b"", b"b" * 300]
    assert path.name == "records-00001-of-00012.tfrecord" and write_shard(path, contents) == 3
    starts, content = record_starts(str(path)), path.read_bytes()
    assert starts[-1] == len(content) and starts.dtype == np.int64
    assert contents == [
        content[start + HEAD : end - TAIL] for start, end in zip(starts, starts[1:], strict=False)
    ]


def test_failed_shard_leaves_nothing(tmp_path):
    def records():
        yield b"one"
        raise KeyError

    with pytest.raises(KeyError):
        write_shard(tmp_path / "x.tfrecord", records())
    assert list(tmp_path.iterdir()) == []


def test_refusing_disk_and_damage_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/x.tfrecord could not be written"):
        write_shard(tmp_path / "file" / "x.tfrecord", [b""])
    write_shard(tmp_path / "x.tfrecord", [b"a" * 7, b"b" * 9])
    (tmp_path / "x.tfrecord").write_bytes((tmp_path / "x.tfrecord").read_bytes()[:-6])
    with pytest.raises(InputError, match="x.tfrecord: a whole TFRecord file is needed"):
        record_starts(str(tmp_path / "x.tfrecord"))
