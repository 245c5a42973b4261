"""Shards read record by record."""

import pytest
import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.records.shards import read_shard, read_shards
from tests import small_records


def test_all_records_in_order(tmp_path):
    shards = find_files(str(small_records.write(tmp_path, 7, per_shard=3)))
    assert [r.image_id for r in read_shards(shards)] == [f"P00{n}_1" for n in range(7)]
    assert [r.block("grey_features").shape for r in read_shard(shards[2])] == [(16, 6)]


def test_damaged_foreign_and_short_shards_are_named(tmp_path):
    (shard,) = find_files(str(small_records.write(tmp_path, 3)))
    lines = [line.numpy() for line in tf.data.TFRecordDataset(shard)]
    path = tmp_path / "records-00000-of-00001.tfrecord"
    for content, fault in (
        ([lines[0], b"not an example"], "is damaged: record 1 cannot be read"),
        ([lines[0], b""], r"record 1 cannot be read \(no record_version"),
        (lines[:2], "3 records are needed .* Received: 2"),
    ):
        write_shard(path, content)
        with pytest.raises(InputError, match=fault):
            read_shard(shard)
