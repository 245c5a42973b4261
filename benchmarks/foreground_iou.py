"""How well the crop boxes of `data_prep.foreground` fit, on photos with salient-object masks.

    python -m benchmarks.foreground_iou --data=ecssd --split=valid --methods=none,border,grabcut

The folder holds `items.jsonl`, one JSON object a line: id, image and mask (paths relative to the folder; in
the mask the object is 128 or more), split. `none`, the whole picture, is the baseline. A row of the table:

    box_iou    mean intersection over union of the crop box and the box around the true mask
    box>0.5    share of the pictures where that is above 0.5
    mask_iou   the same mean for the masks themselves
    fallback   pictures for which the method found no product
    ms         milliseconds a picture (wall clock, this process)
"""

import json
import pathlib
import sys
import time

import numpy as np
from absl import app, flags
from PIL import Image

from data_prep import foreground
from kaleido_tf.errors import InputError

_DATA = flags.DEFINE_string("data", None, "Folder with items.jsonl, pictures and masks.", required=True)
_SPLIT = flags.DEFINE_enum("split", "all", ["all", "train", "valid"], "Which pictures to use.")
_METHODS = flags.DEFINE_list("methods", list(foreground.METHODS), "Foreground methods to compare.")


def read_items(folder: pathlib.Path, split: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The (image [H, W, 3] uint8, mask [H, W] bool) pairs of a split.

    Raises: InputError if the list is missing or has no picture of that split, or if a mask is empty.
    """
    listing = folder / "items.jsonl"
    if not listing.is_file():
        raise InputError(f"a folder with items.jsonl was needed. Received: {folder}")
    items = [json.loads(line) for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()]
    chosen = [item for item in items if split in ("all", item["split"])]
    if not chosen:
        raise InputError(f"{listing} has no picture of the split {split!r}")
    return [_read_pair(folder, item) for item in chosen]


def _read_pair(folder: pathlib.Path, item: dict) -> tuple[np.ndarray, np.ndarray]:
    with Image.open(folder / item["image"]) as image, Image.open(folder / item["mask"]) as mask:
        pixels, truth = np.asarray(image.convert("RGB")), np.asarray(mask.convert("L")) >= 128
    if pixels.shape[:2] != truth.shape or not truth.any():
        raise InputError(
            f"a mask with an object, as large as its picture {pixels.shape[:2]}, was needed. "
            f"Received: {item['mask']} of {truth.shape}, {truth.sum()} object pixels (item {item['id']})"
        )
    return pixels, truth


def box_iou(a: foreground.Box, b: foreground.Box) -> float:
    """Intersection over union of two boxes (x1, x2, y1, y2)."""
    width = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[2], b[2]))
    area_a, area_b = ((box[1] - box[0]) * (box[3] - box[2]) for box in (a, b))
    return width * height / (area_a + area_b - width * height)


def measure(pairs: list[tuple[np.ndarray, np.ndarray]], method: str) -> dict[str, float]:
    """The row of one method: box_iou, box_above_half, mask_iou, fallbacks, milliseconds."""
    box_ious, mask_ious, fallbacks, seconds = [], [], 0, 0.0
    for image, truth in pairs:
        start = time.perf_counter()
        mask = foreground.foreground_mask(image, method)
        crop = foreground.crop_of_mask(mask, may_be_whole=method == "none")
        seconds += time.perf_counter() - start
        fallbacks += crop.fallback
        box_ious.append(box_iou(crop.box, foreground.mask_box(truth)))
        mask_ious.append((mask & truth).sum() / (mask | truth).sum())
    return {
        "box_iou": float(np.mean(box_ious)),
        "box_above_half": float(np.mean(np.array(box_ious) > 0.5)),
        "mask_iou": float(np.mean(mask_ious)),
        "fallbacks": fallbacks,
        "milliseconds": 1000 * seconds / len(pairs),
    }


def print_table(pairs: list[tuple[np.ndarray, np.ndarray]], methods: list[str]) -> None:
    """One line for each method, printed as soon as it is measured. Raises: InputError for an unknown method."""
    print(f"{len(pairs)} pictures, split {_SPLIT.value}")
    print(f"{'method':<10}{'box_iou':>9}{'box>0.5':>9}{'mask_iou':>10}{'fallback':>10}{'ms':>8}")
    for method in methods:
        row = measure(pairs, method)
        print(
            f"{method:<10}{row['box_iou']:>9.3f}{row['box_above_half']:>9.3f}{row['mask_iou']:>10.3f}"
            f"{row['fallbacks']:>10d}{row['milliseconds']:>8.1f}",
            flush=True,
        )


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    try:
        print_table(read_items(pathlib.Path(_DATA.value), _SPLIT.value), _METHODS.value)
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    app.run(main)
