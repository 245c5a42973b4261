"""Reads the shards of a folder of records."""

from collections.abc import Iterable

import tensorflow as tf
from google.protobuf.message import DecodeError

from kaleido_tf.errors import InputError, tensorflow_reason
from kaleido_tf.records.dataset_json import check_count


def read_shards(shards: Iterable[str]) -> list[tf.train.Example]:
    """The records of all shards, as `read_examples`."""
    return [example for shard in shards for example in read_examples(shard)]


def read_examples(shard: str) -> list[tf.train.Example]:
    """The records of one shard, without the blocks of features."""
    found = read_shard(shard)
    for example in found:
        for block in ("patch_features", "rotated_features", "grey_features"):
            example.features.feature.pop(block, None)
    return found


def read_shard(path: str) -> list[tf.train.Example]:
    """All records of one shard. Raises: InputError naming it if it is damaged, or holds
    fewer or more than its `dataset.json` says.
    """
    found: list[tf.train.Example] = []
    try:
        for serialized in tf.data.TFRecordDataset(path).as_numpy_iterator():
            found.append(tf.train.Example.FromString(serialized))
    except (tf.errors.OpError, DecodeError) as error:
        raise InputError(
            f"{path} is damaged: record {len(found)} cannot be read ({tensorflow_reason(error)})."
            " Write it again"
        ) from error
    check_count(path, len(found))
    return found
