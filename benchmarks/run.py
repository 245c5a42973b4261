"""All measurements of speed against what a user would take instead, in one run.

`python -m benchmarks.run [--only=kaleido_bert_step,patch_features] [--output=benchmarks.json]`
(needs the extra `bench`). Rivals do the same work, which is checked before they are timed; figures
are medians of turns that alternate, ratios are of the same turn. Nothing else should run on the
machine.
"""

import functools
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

FLAGS = flags.FLAGS

READ_AT_ONCE = 8
"""Products a batch of reading."""


def define_flags(values: flags.FlagValues) -> None:
    """Where this is the command; tests import it beside others that have flags of these names."""
    lists = functools.partial(flags.DEFINE_list, flag_values=values)
    numbers = functools.partial(flags.DEFINE_integer, lower_bound=1, flag_values=values)
    lists("only", list(MEASUREMENTS), "Of the measurements, those that are made.")
    lists("batch_sizes", ["8", "32"], "Of training steps.")
    lists("precisions", ["float32", "bfloat16"], "Of training steps.")
    lists("rivals", ["pytorch", "pytorch_compiled"], "Of training steps.")
    lists("patch_sizes", ["0", "224"], "Of patch features: pixels a side, 0: their own.")
    numbers("crops", 4, "Of patch features: crops a turn.")
    numbers("products", 400, "Of reading: products a turn.")
    numbers("feature_size", 2048, "Of reading: floats a patch.")
    numbers("turns", 5, "Turns; the median is reported.")
    flags.DEFINE_string("output", "benchmarks.json", "The file of all figures.", flag_values=values)


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
    define_flags(FLAGS)
    run_command(main)
