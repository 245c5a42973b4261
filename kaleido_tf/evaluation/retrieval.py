"""Counts a result file: `python -m kaleido_tf.evaluation.retrieval RESULT_FILE`. No TensorFlow in
here.

`--protocol` counts it as one of the released scripts does.
"""

import json
import pathlib

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.protocols import PROTOCOLS, direction_in_name
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS
from kaleido_tf.evaluation.report import report
from kaleido_tf.evaluation.result_files import read_result_file
from kaleido_tf.files.whole_files import check_writable, write_whole

flags.DEFINE_enum(
    "type", None, DIRECTIONS, "What the queries are; default: what the file's name says."
)
flags.DEFINE_enum(
    "protocol", "average", PROTOCOLS, "How queries and ties are counted; average is the honest one."
)
flags.DEFINE_string("output_json", None, "Writes the figures there, too.")
FLAGS = flags.FLAGS


def main(argv: list[str]) -> None:
    path = pathlib.Path(argv[1])
    if FLAGS.output_json:
        check_writable(pathlib.Path(FLAGS.output_json).parent)
    named = direction_in_name(path.name)
    direction = FLAGS.type or named
    if direction is None:
        raise InputError(
            f"--type={'|'.join(DIRECTIONS)} is needed where the file's name does not say it."
            f" Received: {path.name}"
        )
    text, content = report(read_result_file(path), direction, FLAGS.protocol)
    if named not in (None, direction):
        print(f"counted as {direction}, as --type says; the file's name says {named}")
    print(text)
    if FLAGS.output_json:
        write_whole(FLAGS.output_json, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    run_command(main, arguments=("RESULT_FILE",))
