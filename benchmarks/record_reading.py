"""Records against the original's text rows: bytes on disk and rows a second.

`python -m benchmarks.record_reading`: the same features of ResNet-50 size as records of float16 and
of int8 and as the original's tab-separated text (one row a pair, features printed with six
decimals), read by plain tf.data in turns.
"""

import os
import pathlib
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from absl import app, flags

from benchmarks.drawn_records import drawn_fields
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.records.feature_storage import STORAGES
from kaleido_tf.records.record import parse_record, serialize_record

flags.DEFINE_integer("products", 200, "Products written.")
flags.DEFINE_integer("feature_size", 2048, "Floats a patch.")
flags.DEFINE_integer("turns", 3, "Turns; the median is reported.")
FLAGS = flags.FLAGS


def text_row(content: dict) -> str:
    """The columns of the original's pre-training schema that carry the bulk: 55 patches and two
    grey targets.
    """
    block = np.concatenate([content["patch_features"], content["grey_features"][:2]]).reshape(-1)
    vectors = [
        ",".join(f"{value:.6f}" for value in block),
        ",".join(map(str, content["patch_boxes"].reshape(-1))),
    ]
    return "\t".join([",".join(map(str, content["token_ids"])), *vectors])


def read_text(path):
    def parse(line):
        ids, floats, boxes = tf.io.decode_csv(
            line, [""] * 3, field_delim="\t", use_quote_delim=False
        )
        numbers = tf.strings.to_number(tf.strings.split(floats, ","))
        return (
            tf.strings.to_number(tf.strings.split(ids, ","), tf.int32),
            numbers,
            tf.strings.split(boxes, ","),
        )

    return tf.data.TextLineDataset(path).map(parse, tf.data.AUTOTUNE)


def seconds_of(dataset) -> float:
    start = time.perf_counter()
    for _ in dataset.prefetch(2):
        pass
    return time.perf_counter() - start


def main(_):
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "rows.csv"
        shards = {f"{name} records": pathlib.Path(folder) / f"{name}.tfrecord" for name in STORAGES}
        contents = [drawn_fields(number, FLAGS.feature_size) for number in range(FLAGS.products)]
        for storage, shard in zip(STORAGES, shards.values()):
            rows = (serialize_record(content, storage=storage) for content in contents)
            write_shard(shard, list(rows))
        text.write_text("".join(text_row(content) + "\n" for content in contents))
        sizes = {name: path.stat().st_size for name, path in {**shards, "text rows": text}.items()}
        parse = lambda line: parse_record(line, FLAGS.feature_size)  # noqa: E731
        ways = {
            **{
                name: lambda path=path: tf.data.TFRecordDataset(str(path)).map(
                    parse, tf.data.AUTOTUNE
                )
                for name, path in shards.items()
            },
            "text rows": lambda: read_text(str(text)),
        }
        seconds = {name: [] for name in ways}
        for turn in range(FLAGS.turns + 1):
            for name, way in ways.items():
                taken = seconds_of(way())
                if turn:
                    seconds[name].append(taken)
    for name in ways:
        rate = FLAGS.products / np.median(seconds[name])
        print(
            f"{name:16s} {sizes[name] / FLAGS.products / 1000:8.0f} KB a product, {rate:8.0f}"
            " products/s"
        )


if __name__ == "__main__":
    app.run(main)
