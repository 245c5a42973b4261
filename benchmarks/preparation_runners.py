"""Photos a second that records are made of, by this process and by workers of Apache Beam.

`python -m benchmarks.preparation_runners --catalogue=products.jsonl [--records=pixels]`: the
records of one split are written anew by each runner in turns, the workers being processes of this
machine (`--direct_running_mode=multi_processing`). Workers import TensorFlow, read the catalogue
and build the network first, which counts here; `first shard` is when that, and one shard, are done.
Needs the extra `beam`.
"""

import os
import pathlib
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from data_prep.catalogue.products import Catalogue
from data_prep.catalogue.reading import FORMS, read_catalogue
from data_prep.record_writing.patch_content import PatchContent, PatchSettings
from data_prep.record_writing.photo_content import PhotoContent
from data_prep.record_writing.pixel_content import PixelContent, PixelSettings
from data_prep.record_writing.product_records import write_records
from data_prep.record_writing.runners import build_runner
from data_prep.record_writing.split_shards import ShardRunner
from kaleido_tf.command import run_command
from kaleido_tf.command_line.setting_flags import define_setting_flags, read_settings

_KINDS = {"kaleido": (PatchSettings, PatchContent), "pixels": (PixelSettings, PixelContent)}

flags.DEFINE_string("catalogue", None, FORMS, required=True)
flags.DEFINE_string("split", "train", "Split to write.")
flags.DEFINE_enum("records", "kaleido", list(_KINDS), "What the records hold of a photo.")
flags.DEFINE_list("workers", ["1", "2"], "Numbers of Apache Beam's workers.")
flags.DEFINE_integer("turns", 3, "Turns; medians are reported.", lower_bound=1)
for _settings, _ in _KINDS.values():
    define_setting_flags(_settings)
FLAGS = flags.FLAGS


def runners() -> dict[str, ShardRunner]:
    """By what they are called; the one that the others are compared with is the first."""
    processes = "--direct_running_mode=multi_processing"
    return {
        "local": build_runner("local"),
        **{
            f"beam, workers: {workers}": build_runner(
                "beam", [f"--direct_num_workers={workers}", processes]
            )
            for workers in FLAGS.workers
        },
    }


def seconds_of(runner: ShardRunner, catalogue: Catalogue, content: PhotoContent) -> list[float]:
    """Until the first shard was there, and until all were."""
    with tempfile.TemporaryDirectory() as folder:
        start, clock = time.time(), time.perf_counter()
        write_records(catalogue, FLAGS.split, folder, content, runner=runner)
        taken = time.perf_counter() - clock
        shards = pathlib.Path(folder, FLAGS.split).glob("*.tfrecord")
        return [min(shard.stat().st_mtime for shard in shards) - start, taken]


def main(_):
    catalogue = read_catalogue(FLAGS.catalogue)
    settings, content_of = _KINDS[FLAGS.records]
    content = content_of(read_settings(settings))
    photos = sum(len(product.images) for product in catalogue.of_split(FLAGS.split))
    ways = runners()
    seconds = {name: [] for name in ways}
    for turn in range(FLAGS.turns + 1):
        for name, runner in ways.items():
            if turn or name == "local":  # once before, since this process has functions to trace
                taken = seconds_of(runner, catalogue, content)
                seconds[name] += [taken] if turn else []
    print(f"{photos} photos, medians of {FLAGS.turns} turns")
    medians = {name: np.median(values, axis=0) for name, values in seconds.items()}
    for name, (first, whole) in medians.items():
        beside = medians["local"][1] / whole
        print(
            f"{name:20s} {photos / whole:8.2f} photos/s {beside:6.2f} x local"
            f"   first shard after {first:6.1f} s, all after {whole:6.1f} s"
        )


if __name__ == "__main__":
    run_command(main)
