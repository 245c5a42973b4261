"""The training step: plain against XLA, and the share of it that is spent waiting for input.

`python -m benchmarks.training_step [--batch_size=8] [--text_length=64]` times the base model (L=12,
H=768, A=12, 2,048 floats a patch; sequence 64 + 55 = 119) on records that it draws, in turns within
one process.
"""

import os
import pathlib
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tf_keras
from absl import app, flags

from benchmarks.drawn_records import drawn_fields
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.families import read_examples
from kaleido_tf.files.listed_shards import DATASET_JSON
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.records.record import RECORD_VERSION, serialize_record
from kaleido_tf.text import DEFAULT_VOCABULARY, Vocabulary
from kaleido_tf.training.optimizer import BertAdam
from kaleido_tf.training.strategy import PRECISIONS
from kaleido_tf.training.trainer import Trainer

flags.DEFINE_integer("batch_size", 8, "Examples a step.")
flags.DEFINE_integer("feature_size", 2048, "Floats a patch.")
flags.DEFINE_integer("text_length", 64, "Word pieces.")
flags.DEFINE_integer("steps", 3, "Steps a turn.")
flags.DEFINE_integer("turns", 3, "Turns; the median is reported.")
flags.DEFINE_integer("num_hidden_layers", 12, "Layers.")
flags.DEFINE_list(
    "ways", ["float32", "float32+xla", "bfloat16"], "What is compared: precision, +xla for XLA."
)
FLAGS = flags.FLAGS


def write_records(folder: pathlib.Path, count: int) -> None:
    words = np.random.default_rng(0).integers(1996, 20000, [count, 80])
    lines = []
    for number in range(count):
        content = {**drawn_fields(number, FLAGS.feature_size), "token_ids": words[number].tolist()}
        lines.append(serialize_record(content))
    write_shard(folder / "records-00000-of-00001.tfrecord", lines)
    write_json(
        folder / DATASET_JSON,
        {"record_version": RECORD_VERSION, "feature_size": FLAGS.feature_size},
    )
    (folder / "vocab.txt").write_bytes(DEFAULT_VOCABULARY.read_bytes())


class TimedInput:
    """An iterator that adds up the time spent waiting for the next batch."""

    def __init__(self, dataset):
        self._iterator, self.waited = iter(dataset), 0.0

    def __next__(self):
        start = time.perf_counter()
        batch = next(self._iterator)
        self.waited += time.perf_counter() - start
        return batch


def make_config() -> KaleidoBertConfig:
    return KaleidoBertConfig(
        num_hidden_layers=FLAGS.num_hidden_layers, patch_feature_size=FLAGS.feature_size
    )


def make_step(way: str, strategy):
    """A compiled function of a batch that makes one update."""
    precision, _, xla = way.partition("+")
    tf_keras.mixed_precision.set_global_policy(PRECISIONS[precision])
    with strategy.scope():
        model = KaleidoBert(make_config(), text_length=FLAGS.text_length)
        optimizer = BertAdam(1e-4)
        optimizer.build(model.trainable_variables)
    trainer = Trainer(
        model,
        optimizer,
        strategy,
        global_batch=FLAGS.batch_size,
        log_steps=1,
        last_step=1,
        xla=xla == "xla",
    )
    return trainer.compiled_update(None)


def main(_):
    strategy = tf.distribute.MirroredStrategy(
        ["/cpu:0"] if not tf.config.list_physical_devices("GPU") else ["/gpu:0"]
    )
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_records(folder, 8 * FLAGS.batch_size)
        settings = ExamplesConfig(text_length=FLAGS.text_length)
        examples = read_examples(name, settings, make_config(), None, Vocabulary())
        steps = {way: make_step(way, strategy) for way in FLAGS.ways}
        source = TimedInput(examples.training_batches(FLAGS.batch_size))
        seconds, waited = {way: [] for way in steps}, {way: [] for way in steps}
        for turn in range(FLAGS.turns + 1):
            for way, step in steps.items():
                source.waited, start = 0.0, time.perf_counter()
                for _ in range(FLAGS.steps if turn else 1):
                    loss = step(next(source))["loss"]
                float(loss)
                if turn:
                    taken = time.perf_counter() - start
                    seconds[way].append(taken / FLAGS.steps)
                    waited[way].append(source.waited / taken)
    base = np.median(seconds[FLAGS.ways[0]])
    print(
        f"L={FLAGS.num_hidden_layers}, H=768, batch {FLAGS.batch_size}, sequence"
        f" {FLAGS.text_length + 55}"
    )
    for way in steps:
        middle = np.median(seconds[way])
        print(
            f"  {way:14s} {FLAGS.batch_size / middle:6.2f} examples/s   {base / middle:5.2f} x"
            f" {FLAGS.ways[0]}   waiting for input {np.median(waited[way]):.2%} of the step"
        )


if __name__ == "__main__":
    app.run(main)
