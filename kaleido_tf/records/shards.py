"""Reads the shards of a folder of records."""

from collections.abc import Iterable, Iterator

import tensorflow as tf
from google.protobuf.message import DecodeError

from kaleido_tf.errors import InputError, tensorflow_reason
from kaleido_tf.records.dataset_json import check_count, shares_photos
from kaleido_tf.records.record import Record
from kaleido_tf.records.shared_photos import open_shards
from kaleido_tf.records.views import PLAIN


def read_shards(shards: Iterable[str]) -> list[Record]:
    """The records of all shards, without their features. Raises: InputError as `read_shard`."""
    return [record.without_features() for shard in shards for record in _records_of(shard)]


def read_photos(shards: Iterable[str]) -> list[Record]:
    """As `read_shards`, but of each photo the plain view alone: what looks at photos, or counts
    their texts, sees each once.
    """
    return [record for record in read_shards(shards) if record.view == PLAIN]


def read_shard(path: str) -> list[Record]:
    """All records of one shard, features included.

    Raises: InputError naming it if it is damaged, holds other records than this project's, or fewer
      or more than its `dataset.json` says.
    """
    return list(_records_of(path))


def _records_of(path: str) -> Iterator[Record]:
    count = 0
    try:
        for serialized in open_shards(path, shares_photos([path])).as_numpy_iterator():
            yield Record.parse(serialized)
            count += 1
    except (tf.errors.OpError, DecodeError, ValueError) as error:
        raise InputError(
            f"{path} is damaged: record {count} cannot be read ({tensorflow_reason(error)})."
            " Write it again"
        ) from error
    check_count(path, count)
