"""What a catalogue's size costs a training run: opening its records, examples a second, memory.

`python -m benchmarks.catalogue_growth [--products=1000,10000,100000,1000000]`: for each number of
products records are drawn, with few floats a patch so that the disk bears them, and a process of
its own opens them and takes examples of Kaleido-BERT from two places of the epoch. What is read
ahead of a step is a block of shards, however many there are.
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from benchmarks.drawn_records import drawn_fields
from kaleido_tf.command import run_command

flags.DEFINE_list("products", ["1000", "10000", "100000"], "Numbers of products, one photo each.")
flags.DEFINE_integer("feature_size", 8, "Floats a patch.")
flags.DEFINE_integer("records_per_shard", 1000, "Of a shard.")
flags.DEFINE_integer("batches", 60, "Batches of 32 that are timed.")
flags.DEFINE_string("folder", None, "Of records that are there: measures them, in this process.")
FLAGS = flags.FLAGS

BATCH = 32
WORDS = 38
"""Word pieces of a text: the mean of H&M's."""


def write_catalogue(folder: pathlib.Path, products: int) -> None:
    """Records whose ids and texts differ; their features are those of a few."""
    from kaleido_tf.files.listed_shards import DATASET_JSON
    from kaleido_tf.files.tfrecord_files import shard_path, write_shard
    from kaleido_tf.files.whole_files import write_json
    from kaleido_tf.records.record import RECORD_VERSION
    from kaleido_tf.text import DEFAULT_VOCABULARY

    shards = -(-products // FLAGS.records_per_shard)
    for shard in range(shards):
        first = shard * FLAGS.records_per_shard
        numbers = range(first, min(first + FLAGS.records_per_shard, products))
        write_shard(shard_path(folder, shard, shards), list(drawn_records(numbers)))
    facts = {"record_version": RECORD_VERSION, "feature_size": FLAGS.feature_size}
    write_json(folder / DATASET_JSON, facts)
    (folder / "vocab.txt").write_bytes(DEFAULT_VOCABULARY.read_bytes())


def drawn_records(numbers):
    """A serialized record of each number."""
    import tensorflow as tf

    from kaleido_tf.records.record import serialize_record

    example = tf.train.Example.FromString(
        serialize_record(drawn_fields(0, FLAGS.feature_size) | {"token_ids": [2000] * WORDS})
    )
    feature = example.features.feature
    for number in numbers:
        feature["product_id"].bytes_list.value[0] = feature["image_id"].bytes_list.value[0] = (
            f"P{number:09d}".encode()
        )
        words = np.random.default_rng(number).integers(1996, 20000, WORDS)
        feature["token_ids"].int64_list.value[:] = words.tolist()
        feature["subcategory_id"].int64_list.value[0] = number % 100
        yield example.SerializeToString()


def measure(folder: str) -> dict:
    """The figures of records that are there."""
    from kaleido_tf.data.examples_config import ExamplesConfig
    from kaleido_tf.families import read_examples
    from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
    from kaleido_tf.text import Vocabulary

    config = KaleidoBertConfig(patch_feature_size=FLAGS.feature_size)
    before, start = _peak(), time.perf_counter()
    examples = read_examples(folder, ExamplesConfig(), config, None, Vocabulary())
    opened, rates = time.perf_counter() - start, []
    for first in (0, len(examples) // 2):
        batches = iter(examples.training_batches(BATCH, start=first))
        next(batches)  # the functions are traced, the first block is read
        start = time.perf_counter()
        for _ in range(FLAGS.batches):
            next(batches)
        rates.append(FLAGS.batches * BATCH / (time.perf_counter() - start))
    return {"opened": opened, "rate": float(np.mean(rates)), "gib": _peak() - before}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(_):
    if FLAGS.folder:
        print(json.dumps(measure(FLAGS.folder)))
        return
    command = [sys.executable, "-m", "benchmarks.catalogue_growth"]
    command += [f"--{name}={FLAGS[name].value}" for name in ("feature_size", "batches")]
    for products in map(int, FLAGS.products):
        with tempfile.TemporaryDirectory() as folder:
            write_catalogue(pathlib.Path(folder), products)
            done = subprocess.run(
                [*command, f"--folder={folder}"], check=True, stdout=subprocess.PIPE, text=True
            )
            found = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{products:9,d} products: opened in {found['opened']:6.1f} s"
            f" ({1e6 * found['opened'] / products:5.0f} microseconds each),"
            f" {found['rate']:6.0f} examples/s, {found['gib']:.2f} GiB more than before",
            flush=True,
        )


if __name__ == "__main__":
    run_command(main)
