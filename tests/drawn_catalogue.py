"""A catalogue of seven drawn products, how the tests write records of it, and those records."""

import json
import pathlib

import tensorflow as tf
from PIL import Image, ImageDraw

from data_prep.record_writing.patch_content import PatchSettings
from kaleido_tf.records.parsing import parse_record

SETTINGS = PatchSettings(
    backbone="squeezenet",
    backbone_weights="random",
    crop_size=80,
    records_per_shard=3,
    images_per_batch=2,
)
NAMES = ("red", "green", "blue", "black", "orange", "purple", "grey")


def write_catalogue(folder: pathlib.Path, change=lambda number, entry: entry) -> pathlib.Path:
    """Seven drawn products; the third has two photos; sizes and box sizes differ."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, colour in enumerate(NAMES):
        names = [f"{number}_{view}.png" for view in range(2 if number == 2 else 1)]
        for name in names:
            image = Image.new("RGB", (90 + number, 120), (245, 245, 245))
            ImageDraw.Draw(image).rectangle([20, 30, 60 + number, 95], fill=colour)
            image.save(folder / name)
        entry = {
            "product_id": f"P{number}",
            "image": names[0],
            "title": f"{colour} thing",
            "description": f"A {colour} thing, number {number}.",
            "category": "things",
            "subcategory": "even" if number % 2 == 0 else "odd",
            "split": "train" if number < 6 else "valid",
        }
        if len(names) > 1:
            entry.pop("image")
            entry["images"] = names
        lines.append(json.dumps(change(number, entry)))
    (folder / "products.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "products.jsonl"


def read_all(folder, feature_size=512):
    files = sorted(str(file) for file in folder.glob("*.tfrecord"))
    return [parse_record(line, feature_size) for line in tf.data.TFRecordDataset(files)]
