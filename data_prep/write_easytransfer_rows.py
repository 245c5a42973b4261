"""Records to the originals' static rows: `python -m data_prep.write_easytransfer_rows
--records=records/train --output_dir=rows`.

For trainers that read EasyTransfer's bundles; this project's reads them back with
`pretrain_main.py --train_input_fp=rows/rows.list_csv --input_schema="$(cat rows/schema.txt)"`.
"""

import os
import pathlib

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings
from kaleido_tf.compat.rows.static_rows import RowSettings, write_rows
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.whole_files import check_writable
from kaleido_tf.text import DEFAULT_VOCABULARY

_DEFAULTS = RowSettings()
_DRAWN = ("text_length", "token_fraction", "whole_words", "masking", "negatives", "seed")

flags.DEFINE_string(
    "records",
    None,
    "Records of write_kaleido_records or write_fashion_bert_records: a folder, a file, a glob, a"
    " list file.",
    required=True,
)
flags.DEFINE_string("output_dir", None, "Where the rows are written.", required=True)
flags.DEFINE_enum(
    "format",
    _DEFAULTS.format,
    ["csv", "tfrecord"],
    "Tab-separated text, or tf.train.Examples with the same columns.",
)
flags.DEFINE_integer(
    "dupe_factor",
    _DEFAULTS.dupe_factor,
    "Times that every image comes, with masks, mismatches and puzzles drawn anew.",
    lower_bound=1,
)
define_setting_flags(ExamplesConfig, names=_DRAWN)
flags.DEFINE_integer(
    "rows_per_shard",
    _DEFAULTS.rows_per_shard,
    "Rows a file; one row with 2,048 floats a patch is about 1 MB of text.",
    lower_bound=1,
)
FLAGS = flags.FLAGS


def main(_):
    if FLAGS.negatives == "rising":
        raise InputError(
            "--negatives=rising rises from epoch to epoch; rows have none. Use another"
        )
    settings = RowSettings(
        FLAGS.format, FLAGS.dupe_factor, FLAGS.rows_per_shard, read_settings(ExamplesConfig)
    )
    check_writable(FLAGS.output_dir)
    beside = pathlib.Path(find_files(FLAGS.records)[0]).parent / "vocab.txt"
    result = write_rows(
        FLAGS.records,
        str(beside if beside.is_file() else DEFAULT_VOCABULARY),
        FLAGS.output_dir,
        settings,
    )
    print(
        f"{FLAGS.output_dir}: {result['rows']} rows of {result['images']} images in"
        f" {result['shards']} files, {result['bytes'] / max(result['rows'], 1) / 1e3:.1f} KB a row;"
        " --input_schema in schema.txt"
    )
    if "other_views_left_out" in result:
        print(
            f"{result['other_views_left_out']} records of {FLAGS.records} were left out: they hold"
            " other views of the same photos (--views), which rows do not know"
        )


if __name__ == "__main__":
    run_command(main)
