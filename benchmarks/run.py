"""All measurements of speed against what a user would take instead, in one run.

`python -m benchmarks.run [--only=kaleido_bert_step,mvlt_step] [--output=benchmarks.json]` (needs
the extra `bench`). Rivals do the same work, which is checked before they are timed; figures are
medians of turns that alternate, ratios are of the same turn. Nothing else should run on the
machine.
"""

import json
import pathlib

from absl import flags

from benchmarks import machine
from benchmarks.steps import comparison
from benchmarks.steps.side import STEPS
from kaleido_tf.command import run_command
from kaleido_tf.files.whole_files import write_json

flags.DEFINE_list("only", list(STEPS), "Of the measurements, those that are made.")
flags.DEFINE_list("batch_sizes", ["8", "32"], "Of training steps.")
flags.DEFINE_list("precisions", ["float32", "bfloat16"], "Of training steps.")
flags.DEFINE_list("rivals", ["pytorch", "pytorch_compiled"], "Of training steps.")
flags.DEFINE_integer("turns", 5, "Turns; the median is reported.")
flags.DEFINE_string("output", "benchmarks.json", "The file of all figures.")
FLAGS = flags.FLAGS


def measure_steps(step: str) -> list[dict]:
    """Rows of every batch size and precision."""
    rows = []
    for batch_size in map(int, FLAGS.batch_sizes):
        for precision in FLAGS.precisions:
            found = comparison.compare(step, batch_size, precision, FLAGS.rivals, FLAGS.turns)
            print("\n".join(comparison.table(found)), flush=True)
            rows += found
    return rows


def main(_):
    facts = machine.describe()
    print(json.dumps(facts))
    rows = [row for step in FLAGS.only for row in measure_steps(step)]
    write_json(pathlib.Path(FLAGS.output), {"machine": facts, "steps": rows})


if __name__ == "__main__":
    run_command(main)
