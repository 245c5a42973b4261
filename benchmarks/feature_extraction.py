"""Images a second of feature extraction: native against resized patches, batched against one image
at a time, and one network against others.

`python -m benchmarks.feature_extraction [--backbone=resnet50] [--photos=FOLDER]`. Weights of
tf_keras networks are random: speed does not depend on them. All ways of all networks run in turns
within one process, so that their ratios can be compared on a shared machine.
"""

import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from data_prep.features.backbones import ONNX, build_backbone
from data_prep.features.patch_features import extract_features
from data_prep.foreground.working_crops import crop_product
from kaleido_tf.command import run_command
from kaleido_tf.files.images import read_image

flags.DEFINE_list(
    "backbone", ["resnet50"], "As of write_kaleido_records; several: the others beside the first."
)
flags.DEFINE_string("backbone_weights", "", "Of onnx: the ONNX file.")
flags.DEFINE_string("backbone_preprocessing", "", "Of onnx: the JSON file.")
flags.DEFINE_integer("patch_size", 224, "Pixels a side that patches are resized to.")
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


def ways_of(name: str, crops: np.ndarray) -> dict:
    """What is measured of a backbone, by what it is called."""
    weights = FLAGS.backbone_weights if name == ONNX else "random"
    preprocessing = FLAGS.backbone_preprocessing if name == ONNX else ""
    backbone = build_backbone(name, weights, preprocessing=preprocessing)
    return {
        "native, batched": lambda: extract_features(crops, backbone, None),
        "native, one image at a time": lambda: [
            extract_features(crop[None], backbone, None) for crop in crops
        ],
        "resized, batched": lambda: extract_features(crops, backbone, FLAGS.patch_size),
    }


def measure(ways: dict, images: int) -> dict:
    """Images a second of every way: the median of its turns."""
    seconds = {key: [] for key in ways}
    for turn in range(FLAGS.turns + 1):
        for key, way in ways.items():
            start = time.perf_counter()
            way()
            if turn:  # the first turn traces and warms up
                seconds[key].append(time.perf_counter() - start)
    return {key: images / np.median(values) for key, values in seconds.items()}


def main(_):
    crops = load_crops()
    names = FLAGS.backbone
    ways = {(name, way): run for name in names for way, run in ways_of(name, crops).items()}
    rates = measure(ways, len(crops))
    print(
        f"{len(crops)} crops of {crops.shape[2]} x {crops.shape[1]}, 55 + 3 + 16 patches each,"
        f" resized to {FLAGS.patch_size}"
    )
    for (name, way), rate in rates.items():
        resized, first = rates[name, "resized, batched"], rates[names[0], way]
        beside = f"   {first / rate:5.2f} x as fast: {names[0]}" if name != names[0] else ""
        print(
            f"  {name:15s} {way:28s} {rate:7.2f} images/s {rate / resized:6.2f} x resized{beside}"
        )


if __name__ == "__main__":
    run_command(main)
