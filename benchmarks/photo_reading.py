"""Training batches of photos: how many a second this machine reads, cuts, mirrors and masks.

`python -m benchmarks.photo_reading --records=pixels/train[,raw/train]`: MVLT's batches at the
records' own size, of each folder in turns. What a training step needs a second should be well
below.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import app, flags

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.families import read_examples
from kaleido_tf.files.input_files import find_files
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.records.dataset_json import size_of
from kaleido_tf.text import Vocabulary

flags.DEFINE_list("records", None, "Folders of records of pixels.", required=True)
flags.DEFINE_integer("batch_size", 32, "Photos a batch.", lower_bound=1)
flags.DEFINE_integer("batches", 30, "Batches a turn.", lower_bound=1)
flags.DEFINE_integer("turns", 5, "Turns; the median is reported.", lower_bound=1)
FLAGS = flags.FLAGS


def batches_of(records: str):
    """An endless iterator of a run's batches."""
    side = size_of(find_files(records))
    settings = ExamplesConfig(text_length=128, mirror_probability=0.5, negatives="any")
    examples = read_examples(records, settings, MvltConfig(image_side=side), None, Vocabulary())
    return iter(examples.training_batches(FLAGS.batch_size))


def main(_):
    iterators = {records: batches_of(records) for records in FLAGS.records}
    rates = {records: [] for records in iterators}
    for turn in range(FLAGS.turns + 1):
        for records, batches in iterators.items():
            start = time.perf_counter()
            for _ in range(FLAGS.batches):
                next(batches)
            if turn:  # the first one fills buffers
                photos = FLAGS.batches * FLAGS.batch_size
                rates[records].append(photos / (time.perf_counter() - start))
    for records, values in rates.items():
        print(f"{records:24s} {np.median(values):8.0f} photos/s")


if __name__ == "__main__":
    app.run(main)
