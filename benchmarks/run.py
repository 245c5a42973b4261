"""All measurements of speed against what a user would take instead, in one run.

`python -m benchmarks.run [--only=kaleido_bert_step,patch_features] [--output=benchmarks.json]`
(needs the extra `bench`). Rivals do the same work, which is checked before they are timed; figures
are medians of turns that alternate, ratios are of the same turn. Nothing else should run on the
machine.
"""

import json
import pathlib
from collections.abc import Iterator

from absl import flags

from benchmarks import machine
from benchmarks.patches import comparison as patch_features
from benchmarks.reading import comparison as reading
from benchmarks.steps import comparison as steps
from benchmarks.steps.settings import STEPS
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import write_json

MEASUREMENTS = (*STEPS, "patch_features", "reading")

flags.DEFINE_list("only", list(MEASUREMENTS), "Of the measurements, those that are made.")
flags.DEFINE_list("batch_sizes", ["8", "32"], "Of training steps.")
flags.DEFINE_list("precisions", ["float32", "bfloat16"], "Of training steps.")
flags.DEFINE_list("rivals", ["pytorch", "pytorch_compiled"], "Of training steps.")
flags.DEFINE_list("patch_sizes", ["0", "224"], "Of patch features: pixels a side, 0: their own.")
flags.DEFINE_integer("crops", 4, "Of patch features: crops a turn.", lower_bound=1)
flags.DEFINE_integer("products", 400, "Of reading: products a turn.", lower_bound=1)
flags.DEFINE_integer("feature_size", 2048, "Of reading: floats a patch.", lower_bound=1)
flags.DEFINE_integer("turns", 5, "Turns; the median is reported.", lower_bound=1)
flags.DEFINE_string("output", "benchmarks.json", "The file of all figures.")
FLAGS = flags.FLAGS

READ_AT_ONCE = 8
"""Products a batch of reading."""


def comparisons(name: str) -> Iterator[tuple[str, list[dict], list[str]]]:
    """Of a measurement each comparison as soon as it is made: where its rows belong, the rows, and
    the lines that are printed of them.
    """
    if name == "patch_features":
        for size in map(int, FLAGS.patch_sizes):
            rows = patch_features.compare(size or None, FLAGS.crops, FLAGS.turns)
            yield name, rows, patch_features.table(rows)
    elif name == "reading":
        rows = reading.compare(FLAGS.products, FLAGS.feature_size, READ_AT_ONCE, FLAGS.turns)
        yield name, rows, reading.table(rows)
    else:
        for size in map(int, FLAGS.batch_sizes):
            for precision in FLAGS.precisions:
                rows = steps.compare(name, size, precision, FLAGS.rivals, FLAGS.turns)
                yield "steps", rows, steps.table(rows)


def main(_):
    unknown = [name for name in FLAGS.only if name not in MEASUREMENTS]
    if unknown:
        raise InputError(
            f"--only must name measurements of {', '.join(MEASUREMENTS)}. Received:"
            f" {', '.join(unknown)}"
        )
    figures = {"machine": machine.describe(), "steps": [], "patch_features": [], "reading": []}
    print(json.dumps(figures["machine"]))
    for name in FLAGS.only:
        for group, rows, lines in comparisons(name):
            print("\n".join(lines), flush=True)
            figures[group] += rows
    write_json(pathlib.Path(FLAGS.output), figures)


if __name__ == "__main__":
    run_command(main)
