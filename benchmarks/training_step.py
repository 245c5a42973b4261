"""The training step in several ways, and the share of it that is spent waiting for input.

`python -m benchmarks.training_step [--batch_size=8] [--text_length=64]` times the base model (L=12,
H=768, A=12; sequence 64 + 55 = 119) on records, or on ones that it draws, all texts of which are
full, in turns within one process. Steps that compile are left out.
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
flags.DEFINE_string("records", None, "Folder of records; default: drawn ones.")
flags.DEFINE_integer("feature_size", 2048, "Floats a patch.")
flags.DEFINE_integer("text_length", 64, "Word pieces.")
flags.DEFINE_integer("steps", 3, "Steps a turn.")
flags.DEFINE_integer("turns", 3, "Turns; the median is reported.")
flags.DEFINE_integer("num_hidden_layers", 12, "Layers.")
flags.DEFINE_list(
    "ways",
    ["float32", "float32+xla", "bfloat16"],
    "What is compared: precision, +xla for XLA, +grouped for batches of texts of like length.",
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
    precision, *more = way.split("+")
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
        xla="xla" in more,
    )
    return trainer.compiled_update(None)


def open_batches(folder: str, grouped: bool) -> TimedInput:
    """Endless batches of the records there."""
    settings = ExamplesConfig(text_length=FLAGS.text_length, group_by_length=grouped)
    vocabulary = Vocabulary(pathlib.Path(folder) / "vocab.txt")
    examples = read_examples(folder, settings, make_config(), None, vocabulary)
    return TimedInput(examples.training_batches(FLAGS.batch_size))


def make_turn(step, source: TimedInput) -> list[tuple[float, float, int]]:
    """Of each step that did not compile: its seconds, those of them that it waited for input, and
    the places of its texts.
    """
    found = []
    for _ in range(FLAGS.steps):
        source.waited, start, traced = 0.0, time.perf_counter(), _traces(step)
        batch = next(source)
        float(step(batch)["loss"])
        if _traces(step) == traced:
            taken = time.perf_counter() - start
            found.append((taken, source.waited, batch["input_ids"].shape[1]))
    return found


def _traces(step) -> int:
    return step.experimental_get_tracing_count()


def main(_):
    strategy = tf.distribute.MirroredStrategy(
        ["/cpu:0"] if not tf.config.list_physical_devices("GPU") else ["/gpu:0"]
    )
    with tempfile.TemporaryDirectory() as name:
        if FLAGS.records is None:
            write_records(pathlib.Path(name), 8 * FLAGS.batch_size)
        records = FLAGS.records or name
        steps = {way: make_step(way, strategy) for way in FLAGS.ways}
        sources = {grouped: open_batches(records, grouped) for grouped in (False, True)}
        means = {way: [] for way in steps}
        for turn in range(FLAGS.turns + 1):
            for way, step in steps.items():
                found = make_turn(step, sources["grouped" in way.split("+")])
                if turn:
                    means[way].append(np.mean(found, axis=0))
    seconds = {way: np.median([taken for taken, *_ in found]) for way, found in means.items()}
    base = seconds[FLAGS.ways[0]]
    print(
        f"L={FLAGS.num_hidden_layers}, H=768, batch {FLAGS.batch_size}, sequence"
        f" {FLAGS.text_length + 55}"
    )
    for way in steps:
        waited = np.median([waiting / taken for taken, waiting, _ in means[way]])
        places = np.mean([length for *_, length in means[way]])
        print(
            f"  {way:16s} {FLAGS.batch_size / seconds[way]:6.2f} examples/s"
            f"   {base / seconds[way]:5.2f} x {FLAGS.ways[0]}"
            f"   waiting for input {waited:.2%} of the step   {places:.0f} places a text"
        )


if __name__ == "__main__":
    app.run(main)
