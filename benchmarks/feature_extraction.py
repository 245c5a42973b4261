"""Images a second of feature extraction: native against resized patches, batched against one image
at a time.

`python -m benchmarks.feature_extraction [--backbone=resnet50] [--photos=FOLDER]`. Weights are
random: speed does not depend on them. All ways run in turns within one process, so that their
  ratios can be compared on a shared machine.
"""

import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from data_prep.features.backbones import build_backbone
from data_prep.features.patch_features import extract_features
from data_prep.foreground.working_crops import crop_product
from kaleido_tf.command import run_command
from kaleido_tf.files.images import read_image

flags.DEFINE_string("backbone", "resnet50", "As of write_kaleido_records.")
flags.DEFINE_string("photos", None, "Folder of photos; default: random pixels of 256 x 256.")
flags.DEFINE_integer("images", 8, "Images a way and turn.")
flags.DEFINE_integer("turns", 3, "Turns; the median is reported.")
flags.DEFINE_integer("crop_size", 256, "Long side of the working crop.")
FLAGS = flags.FLAGS


def load_crops() -> np.ndarray:
    """[N, h, w, 3] uint8, all of the commonest working size."""
    if FLAGS.photos is None:
        return np.random.default_rng(0).integers(
            0, 256, [FLAGS.images, FLAGS.crop_size, FLAGS.crop_size, 3], np.uint8
        )
    by_size: dict = {}
    for path in sorted(pathlib.Path(FLAGS.photos).iterdir())[: FLAGS.images * 20]:
        crop = crop_product(read_image(path, path.name), "border", FLAGS.crop_size).pixels
        by_size.setdefault(crop.shape, []).append(crop)
    largest = max(by_size.values(), key=len)[: FLAGS.images]
    return np.stack(largest)


def main(_):
    backbone = build_backbone(FLAGS.backbone, "random")
    crops = load_crops()
    ways = {
        "native, batched": lambda: extract_features(crops, backbone, None),
        "native, one image at a time": lambda: [
            extract_features(crop[None], backbone, None) for crop in crops
        ],
        "resized to 224, batched": lambda: extract_features(crops, backbone, 224),
    }
    seconds = {name: [] for name in ways}
    for turn in range(FLAGS.turns + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn:  # the first turn traces and warms up
                seconds[name].append(time.perf_counter() - start)
    rates = {name: len(crops) / np.median(values) for name, values in seconds.items()}
    print(
        f"{FLAGS.backbone}, {len(crops)} crops of {crops.shape[2]} x {crops.shape[1]}, 55 + 3 + 16"
        " patches each"
    )
    for name, rate in rates.items():
        print(
            f"  {name:30s} {rate:7.2f} images/s   {rate / rates['resized to 224, batched']:5.2f} x"
            " resized"
        )


if __name__ == "__main__":
    run_command(main)
