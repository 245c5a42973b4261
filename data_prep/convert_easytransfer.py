"""The original's data files to TFRecord and back: `python -m data_prep.convert_easytransfer
--input_fp=LIST --output_dir=OUT`.

`--input_fp` and `--input_schema` are those of the original's scripts. The folder is read by
whatever reads the text: name it as `--train_input_fp`. `--to=csv` writes text again. Interrupted
  runs go on with the same command.
"""

import os

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.compat.rows.row_conversion import FLOAT_TYPES, schema_of, to_csv, to_tfrecord
from kaleido_tf.compat.rows.row_files import SUFFIXES, RowFiles
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files

flags.DEFINE_string(
    "input_fp",
    None,
    "A file of rows, a glob, a directory, a list file or a converted folder.",
    required=True,
)
flags.DEFINE_string(
    "input_schema", None, "name:type:length,... of the columns; a converted folder knows its own."
)
flags.DEFINE_string("output_dir", None, "The folder to write.", required=True)
flags.DEFINE_enum("to", "tfrecord", ["tfrecord", "csv"], "What to write.")
flags.DEFINE_enum(
    "float_type",
    "float32",
    FLOAT_TYPES,
    "Vectors of floats in TFRecords: plain lists, or raw float16 bytes.",
)
flags.DEFINE_integer("rows_per_shard", 256, "Rows a shard.", lower_bound=1)
FLAGS = flags.FLAGS


def main(_):
    schema = (
        parse_schema(FLAGS.input_schema)
        if FLAGS.input_schema is not None
        else schema_of(FLAGS.input_fp)
    )
    if schema is None:
        find_files(FLAGS.input_fp, SUFFIXES)  # if nothing is there, that is the first thing to say
        raise InputError(
            "--input_schema is needed, since rows of text do not name their columns. Received:"
            f" {FLAGS.input_fp} alone"
        )
    source = RowFiles(FLAGS.input_fp, schema)
    if FLAGS.to == "csv":
        done = to_csv(source, FLAGS.output_dir, FLAGS.rows_per_shard)
    else:
        done = to_tfrecord(source, FLAGS.output_dir, FLAGS.float_type, FLAGS.rows_per_shard)
    images = f", {done.images} distinct images" if done.images is not None else ""
    print(
        f"{FLAGS.output_dir}: {done.rows} rows{images}, {_size(done.bytes_before)} before,"
        f" {_size(done.bytes_after)} after ({done.bytes_after / done.bytes_before:.1%}),"
        f" {done.rows_per_second:.0f} rows/s"
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"


if __name__ == "__main__":
    run_command(main)
