r"""How well the masks and crop boxes of `data_prep.foreground.product_crops` fit, on photos with
foreground masks.

    python -m benchmarks.foreground_iou --data=ecssd --split=valid --methods=none,border,grabcut
    python -m benchmarks.foreground_iou --data=ecssd --split=valid --methods=border,unet \
        --foreground_weights=saliency.safetensors

The folder holds `items.jsonl`, one JSON object a line: id, image and mask or label_map (paths
relative to the folder; in the mask the object is 128 or more, in the label map above 0), split.
`none`, the whole picture, is the baseline. A row of the table:

    box_iou    mean intersection over union of the crop box and the box around the true mask
    box>0.5    share of the pictures where that is above 0.5
    mask_iou   the same mean for the masks themselves
    F          F-measure of the masks, beta^2 = 0.3, mean over the pictures (the network's at
               probability 0.5)
    fallback   pictures for which the method found no product
    ms         milliseconds a picture (wall clock, this process; the network gets all pictures at
               once)
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes hide the table

import pathlib
import time

import numpy as np
from absl import flags

from data_prep.foreground import mask_scores
from data_prep.foreground.mask_files import read_listing, read_mask
from data_prep.foreground.methods import METHODS, crop_of_method, foreground_mask
from data_prep.foreground.onnx_saliency import OnnxSaliency
from data_prep.foreground.product_crops import NETWORKS, check_choice, load_network, product_mask
from data_prep.foreground.saliency import SaliencyNet
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.images import read_image

_DATA = flags.DEFINE_string(
    "data", None, "Folder with items.jsonl, pictures and masks.", required=True
)
_SPLIT = flags.DEFINE_enum("split", "all", ["all", "train", "valid"], "Which pictures to use.")
_METHODS = flags.DEFINE_list("methods", list(METHODS), "Foreground methods to compare.")
_WEIGHTS = flags.DEFINE_string("foreground_weights", "", "For the method unet, or onnx.")
_PREPROCESSING = flags.DEFINE_string("foreground_preprocessing", "", "For the method onnx.")


def read_items(folder: pathlib.Path, split: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The (image [H, W, 3] uint8, mask [H, W] bool) pairs of a split.

    Raises: InputError if the list is missing or has no picture of that split, or if a mask is
      empty.
    """
    chosen = [pair for pair in read_listing(folder / "items.jsonl") if split in ("all", pair.split)]
    if not chosen:
        raise InputError(f"{folder / 'items.jsonl'} has no picture of the split {split!r}")
    items = []
    for pair in chosen:
        image = read_image(pair.photo, pair.where)
        truth = read_mask(pair.mask, image.shape, pair.where, pair.kind)
        if not truth.any():
            raise InputError(
                f"a mask with an object was needed. Received: {pair.mask}, which is empty"
                f" ({pair.where})"
            )
        items.append((image, truth))
    return items


def measure(
    pairs: list[tuple[np.ndarray, np.ndarray]],
    method: str,
    network: SaliencyNet | OnnxSaliency | None = None,
) -> dict[str, float]:
    """The row of one method: box_iou, box_above_half, mask_iou, f_measure, fallbacks,
    milliseconds.
    """
    images = [image for image, _ in pairs]
    if network:
        network.masks(images[:1])  # the first call traces the network, once a process
    start = time.perf_counter()
    if network:
        masks = [product_mask(mask) for mask in network.masks(images)]
    else:
        masks = [foreground_mask(image, method) for image in images]
    crops = [crop_of_method(mask, method) for mask in masks]
    seconds = time.perf_counter() - start
    rows = [
        mask_scores.scores(mask, truth, crop) for mask, crop, (_, truth) in zip(masks, crops, pairs)
    ]
    return {
        **{name: float(np.mean([row[name] for row in rows])) for name in rows[0]},
        "box_above_half": float(np.mean([row["box_iou"] > 0.5 for row in rows])),
        "fallbacks": sum(crop.fallback for crop in crops),
        "milliseconds": 1000 * seconds / len(pairs),
    }


def print_table(
    pairs: list[tuple[np.ndarray, np.ndarray]],
    methods: list[str],
    weights: str,
    preprocessing: str = "",
) -> None:
    """One line for each method, printed as soon as it is measured. Raises: InputError for an
    unknown method or unusable weights.
    """
    for method in methods:
        files = (weights, "", preprocessing if method == "onnx" else "")
        check_choice(method, *(files if method in NETWORKS else ("", "")))
    print(f"{len(pairs)} pictures, split {_SPLIT.value}")
    print(
        f"{'method':<10}{'box_iou':>9}{'box>0.5':>9}{'mask_iou':>10}{'F':>8}{'fallback':>10}{'ms':>8}"
    )
    for method in methods:
        network = load_network(method, weights, preprocessing) if method in NETWORKS else None
        row = measure(pairs, method, network)
        print(
            f"{method:<10}{row['box_iou']:>9.3f}{row['box_above_half']:>9.3f}{row['mask_iou']:>10.3f}{row['f_measure']:>8.3f}"
            f"{row['fallbacks']:>10d}{row['milliseconds']:>8.1f}",
            flush=True,
        )


def main(_):
    items = read_items(pathlib.Path(_DATA.value), _SPLIT.value)
    print_table(items, _METHODS.value, _WEIGHTS.value, _PREPROCESSING.value)


if __name__ == "__main__":
    run_command(main)
