"""How products are read in this process: records as the pipeline parses them, and the original's
rows by its own way and by ours.

A way is a function without arguments that gives batches: dicts of arrays or tensors.
"""

import concurrent.futures
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from kaleido_tf.compat.rows.input_schema import Column
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.records.parsing import parse_record

CORES = len(os.sched_getaffinity(0))
_DTYPES = {"int": tf.int64, "float": tf.float32}


def records(folder: pathlib.Path, storage: str, feature_size: int, batch: int) -> Callable:
    """Records by `parse_record`, each as float16."""
    files = sorted(map(str, folder.glob(f"records_{storage}-*")))
    dataset = tf.data.TFRecordDataset(files)

    def parse(row):
        return parse_record(row, feature_size, storage=storage)

    parsed = dataset.map(parse, tf.data.AUTOTUNE)
    batches = parsed.batch(batch).prefetch(2)
    return lambda: iter(batches)


def text_as_the_original(path: pathlib.Path, schema: Sequence[Column], batch: int) -> Callable:
    """Text rows by `decode_csv` and `to_number`, each float as float32."""

    def parse(line):
        fields = tf.io.decode_csv(line, [""] * len(schema), field_delim="\t", use_quote_delim=False)
        return {
            column.name: tf.strings.to_number(tf.strings.split(field, ","), _DTYPES[column.kind])
            for column, field in zip(schema, fields, strict=True)
        }

    lines = tf.data.TextLineDataset(str(path))
    batches = lines.map(parse, tf.data.AUTOTUNE).batch(batch).prefetch(2)
    return lambda: iter(batches)


def floats_as_the_original(path: pathlib.Path, schema: Sequence[Column], batch: int) -> Callable:
    """TFRecords of plain float lists by `parse_single_example`, each float as float32."""
    features = {c.name: tf.io.FixedLenFeature([c.values], _DTYPES[c.kind]) for c in schema}

    def parse(row):
        return tf.io.parse_single_example(row, features)

    rows = tf.data.TFRecordDataset(str(path))
    batches = rows.map(parse, tf.data.AUTOTUNE).batch(batch).prefetch(2)
    return lambda: iter(batches)


def rows_by_row_files(path: pathlib.Path, schema: tuple[Column, ...], batch: int) -> Callable:
    """Rows of either form by `RowFiles`, as a run reads them, by a thread a core."""
    rows = RowFiles(str(path), schema)
    numbers = np.split(np.arange(len(rows)), range(batch, len(rows), batch))

    def read() -> Iterator[dict]:
        with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
            yield from pool.map(rows.read, numbers)

    return read
