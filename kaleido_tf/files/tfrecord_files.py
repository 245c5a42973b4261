"""TFRecord files: the names of shards, writing one whole, and where in a file its records lie."""

import os
import pathlib
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from kaleido_tf.errors import InputError, tensorflow_reason
from kaleido_tf.files.whole_files import appears_whole

HEAD, TAIL = 12, 4
"""Bytes around the content of a record: its length (8) and that one's checksum (4), and its own."""


def shard_path(folder: pathlib.Path, number: int, count: int) -> pathlib.Path:
    """Path of shard `number` (from 0) of `count` in `folder`."""
    return folder / f"records-{number:05d}-of-{count:05d}.tfrecord"


def write_shard(path: pathlib.Path, records: Iterable[bytes]) -> int:
    """Writes `records`; the file appears whole or not at all. Returns their number.

    Raises: InputError if the disk refuses (full, read-only).
    """
    count = 0
    with appears_whole(path) as partial:
        try:
            with tf.io.TFRecordWriter(str(partial)) as writer:
                for record in records:
                    writer.write(record)
                    count += 1
        except (OSError, tf.errors.OpError) as error:
            raise OSError(
                f"{tensorflow_reason(error)}. Shards finished before it are kept; free some room"
                " and start the same command again"
            ) from error
    return count


def count_records(path: str | os.PathLike) -> int | None:
    """The number of records by their lengths alone, which takes no time; None for a file that is
    missing or ends within a record.
    """
    if not os.path.isfile(path):
        return None
    starts = starts_by_length(path)
    return len(starts) - 1 if starts[-1] == os.path.getsize(path) else None


def starts_by_length(path: str | os.PathLike) -> np.ndarray:
    """As `record_starts`, from the lengths alone, no checksum is looked at; of a file that ends
    within a record the last number is above its size.
    """
    size, starts = os.path.getsize(path), [0]
    with open(path, "rb") as stream:
        while starts[-1] + HEAD <= size:
            stream.seek(starts[-1])
            starts.append(starts[-1] + int.from_bytes(stream.read(8), "little") + HEAD + TAIL)
    return np.array(starts, np.int64)


def record_starts(path: str) -> np.ndarray:
    """[records + 1] int64: where in a file each record begins, and one after the last would. All
    checksums are verified.

    Raises: InputError naming the file if it is damaged or no TFRecord file.
    """
    lengths = [np.zeros(0, np.int64)]
    try:
        for batch in tf.data.TFRecordDataset(path).map(tf.strings.length).batch(1024):
            lengths.append(batch.numpy().astype(np.int64))
    except tf.errors.OpError as error:
        raise InputError(
            f"{path}: a whole TFRecord file is needed. Damaged or none within 1024 records after"
            f" record {sum(map(len, lengths))}: {tensorflow_reason(error)}"
        ) from error
    return np.concatenate([[0], np.cumsum(np.concatenate(lengths) + (HEAD + TAIL))])
