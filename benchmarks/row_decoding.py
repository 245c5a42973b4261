"""Rows of the original's data files: ours against plain tf.data, rows a second.

`python -m benchmarks.row_decoding`: rows of the released pre-training schema (about 117,000 floats
each) as text and as `tf.train.Example`, read by `RowFiles` with one thread and with two, and as
text by TextLineDataset, decode_csv and to_number. All ways read the same rows from the file cache,
in turns whose order is turned around each time.
"""

import concurrent.futures
import os
import pathlib
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from absl import app, flags

from kaleido_tf.compat.rows.input_schema import Column, parse_schema
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.compat.rows.row_writing import encode_examples, encode_lines
from kaleido_tf.files.tfrecord_files import write_shard

flags.DEFINE_integer("rows", 64, "Rows written.")
flags.DEFINE_integer("feature_size", 2048, "Floats a patch.")
flags.DEFINE_integer("batch", 8, "Rows read at once.")
flags.DEFINE_integer("turns", 6, "Turns after one that does not count; the median is reported.")
FLAGS = flags.FLAGS

FEATURES = {"rotation": 1, "jigsaw": 4, "camouflage": 9, "grey_mask": 16, "blank_mask": 25}
TEXT = (
    "input_ids:int:64,input_mask:int:64,segment_ids:int:64,masked_lm_positions:int:10,masked_lm_ids:int:10,"
    "masked_lm_weights:float:10"
)
LABELS = (
    "img_subtasks_flag:int:1,img_grey_lm_ids:int:2,img_blank_lm_ids:int:3,img_rotate_gt:int:1,img_jigsaw_gt:int:1,"
    "img_camouflage_gt:int:1"
)


def released_schema(feature_size: int) -> tuple[Column, ...]:
    """The columns of the released pre-training script, with patches of another size."""
    features = ",".join(
        f"img_feature_convert_{level}:float:{count * feature_size}"
        for level, count in FEATURES.items()
    )
    boxes = ",".join(
        f"img_loc_position_{level}:int:{count * 5}" for level, count in FEATURES.items()
    )
    targets = f"img_grey_mask_gt:float:{2 * feature_size},nx_sent_labels:int:1"
    return parse_schema(f"{TEXT},{features},image_mask:int:55,{boxes},{LABELS},{targets}")


def drawn_rows(schema: tuple[Column, ...], count: int) -> dict[str, np.ndarray]:
    """Random columns; floats are rounded to six decimals, which is what such files were printed
    with.
    """
    generator = np.random.default_rng(0)
    columns = {}
    for column in schema:
        shape = [count, column.values]
        if column.kind == "float":
            columns[column.name] = np.round(np.abs(generator.normal(size=shape)), 6).astype(
                np.float32
            )
        else:
            columns[column.name] = generator.integers(
                0, 30522 if column.name.endswith("ids") else 2, shape
            )
    return columns


def read_plainly(path: str, schema: tuple[Column, ...], batch: int) -> tf.data.Dataset:
    def parse(line):
        fields = tf.io.decode_csv(line, [""] * len(schema), field_delim="\t", use_quote_delim=False)
        dtypes = {"int": tf.int64, "float": tf.float32}
        return {
            column.name: tf.strings.to_number(tf.strings.split(field, ","), dtypes[column.kind])
            for column, field in zip(schema, fields, strict=True)
        }

    return tf.data.TextLineDataset(path).map(parse, tf.data.AUTOTUNE).batch(batch).prefetch(2)


def read_all(rows: RowFiles, batch: int, threads: int) -> None:
    batches = np.split(np.arange(len(rows)), range(batch, len(rows), batch))
    if threads == 1:
        for numbers in batches:
            rows.read(numbers)
        return
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(rows.read, batches):
            pass


def seconds_of(way) -> tuple[float, float]:
    """Seconds by the clock, and of processors: the latter hold on a machine that others use too."""
    start, used = time.perf_counter(), time.process_time()
    way()
    return time.perf_counter() - start, time.process_time() - used


def main(_):
    schema = released_schema(FLAGS.feature_size)
    with tempfile.TemporaryDirectory() as folder:
        text, shard = pathlib.Path(folder) / "rows.csv", pathlib.Path(folder) / "rows.tfrecord"
        columns = drawn_rows(schema, FLAGS.rows)
        text.write_bytes(b"".join(encode_lines(columns, schema, str)))
        write_shard(shard, encode_examples(columns, schema, str))
        indexed, _ = seconds_of(lambda: RowFiles(str(text), schema))
        lines, examples = RowFiles(str(text), schema), RowFiles(str(shard), schema)
        plain = read_plainly(str(text), schema, FLAGS.batch)
        ways = {
            "text, tf.data (AUTOTUNE)": lambda: [None for _ in plain],
            "text, RowFiles, 1 thread": lambda: read_all(lines, FLAGS.batch, 1),
            "text, RowFiles, 2 threads": lambda: read_all(lines, FLAGS.batch, 2),
            "examples, RowFiles, 1 thread": lambda: read_all(examples, FLAGS.batch, 1),
            "examples, RowFiles, 2 threads": lambda: read_all(examples, FLAGS.batch, 2),
        }
        seconds = {name: [] for name in ways}
        for turn in range(FLAGS.turns + 1):
            for name in list(ways) if turn % 2 else reversed(ways):
                taken = seconds_of(ways[name])
                if turn:
                    seconds[name].append(taken)
        values = sum(column.values for column in schema)
        sizes = [path.stat().st_size / FLAGS.rows / 1000 for path in (text, shard)]
        print(
            f"{FLAGS.rows} rows of {values} values: {sizes[0]:.0f} KB a row as text, {sizes[1]:.0f}"
            f" KB as examples; index of the text {indexed / FLAGS.rows * 1000:.2f} ms a row"
        )
    medians = {name: np.median(taken, axis=0) for name, taken in seconds.items()}
    plain_clock, plain_used = medians["text, tf.data (AUTOTUNE)"]
    for name, (clock, used) in medians.items():
        print(
            f"{name:30s} {FLAGS.rows / clock:6.0f} rows/s {clock / FLAGS.rows * 1000:6.2f} ms a row"
            f" ({plain_clock / clock:5.1f} times tf.data), processors"
            f" {used / FLAGS.rows * 1000:6.2f} ms a row ({plain_used / used:5.1f} times)"
        )


if __name__ == "__main__":
    app.run(main)
