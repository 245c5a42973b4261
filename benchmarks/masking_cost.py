"""What alignment-guided masking costs against random masking, on records with aligned pairs:

    python -m benchmarks.masking_cost --records=records/train

Both make training batches of the same records, turn by turn in one process; processor time, since
wall time depends on what else runs.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.families import read_examples
from kaleido_tf.files.input_files import find_files
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.records.dataset_json import size_of
from kaleido_tf.text import Vocabulary

flags.DEFINE_string("records", None, "Kaleido records with alignments.", required=True)
flags.DEFINE_integer("batch_size", 32, "Examples a batch.", lower_bound=1)
flags.DEFINE_integer("batches", 20, "Batches a turn.", lower_bound=1)
flags.DEFINE_integer("turns", 5, "Turns of both.", lower_bound=1)
FLAGS = flags.FLAGS


def main(_):
    config = KaleidoBertConfig(patch_feature_size=size_of(find_files(FLAGS.records)))
    sources = {}
    for masking in ("random", "aligned"):
        settings = ExamplesConfig(masking=masking)
        examples = read_examples(FLAGS.records, settings, config, None, Vocabulary())
        sources[masking] = iter(examples.training_batches(FLAGS.batch_size))
        next(sources[masking])
    spent = {masking: [] for masking in sources}
    for _ in range(FLAGS.turns):
        for masking, source in sources.items():
            start = time.process_time()
            for _ in range(FLAGS.batches):
                next(source)
            spent[masking].append((time.process_time() - start) / FLAGS.batches)
    random, aligned = (1000 * float(np.median(spent[masking])) for masking in ("random", "aligned"))
    print(
        f"processor time a batch of {FLAGS.batch_size}: random {random:.1f} ms, aligned"
        f" {aligned:.1f} ms ({aligned / random:.2f} times)"
    )


if __name__ == "__main__":
    run_command(main)
