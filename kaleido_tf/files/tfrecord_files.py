"""Shards of records: their names, and writing one so that it appears whole or not at all."""

import os
import pathlib
from collections.abc import Iterable

import tensorflow as tf

from kaleido_tf.errors import InputError


def shard_path(folder: pathlib.Path, number: int, count: int) -> pathlib.Path:
    return folder / f"records-{number:05d}-of-{count:05d}.tfrecord"


def write_shard(path: pathlib.Path, records: Iterable[bytes]) -> int:
    """Writes `records` beside `path`, then renames; returns their number.

    Raises: InputError if the disk refuses (full, read-only); nothing is left under the final name
      then.
    """
    partial = path.with_name(path.name + ".partial")
    count = 0
    try:
        with tf.io.TFRecordWriter(str(partial)) as writer:
            for record in records:
                writer.write(record)
                count += 1
        os.replace(partial, path)
    except (OSError, tf.errors.OpError) as error:
        partial.unlink(missing_ok=True)
        raise InputError(
            f"Shard {path} could not be written: {error}. Shards finished before it are kept; free"
            " some room and start the same command again"
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return count
