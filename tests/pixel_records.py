"""Small sets of pixel records for tests: plain squares of a colour, with a text that names it."""

import io
import pathlib

import numpy as np
from PIL import Image

from kaleido_tf.files.listed_shards import DATASET_JSON
from kaleido_tf.files.tfrecord_files import shard_path, write_shard
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.records.photo import JPEG, serialize_photo_record
from kaleido_tf.records.record import PIXELS, RECORD_VERSION
from kaleido_tf.text import DEFAULT_VOCABULARY, Tokenizer, Vocabulary

SIDE = 64
COLOURS = {"red": (200, 20, 30), "green": (10, 180, 40), "blue": (20, 40, 220), "black": (9, 9, 9)}
KINDS = ("dress", "skirt", "coat")
LENGTH = 9
CATALOGUE_DIGEST = "0" * 64


def tiny_mvlt(**changes) -> MvltConfig:
    """An MVLT whose sizes all differ, without any chance in training."""
    sizes = {
        "hidden_size": 20,
        "max_position_embeddings": 11,
        "text_seq_len": LENGTH,
        "image_side": SIDE,
        "position_side": 32,
        "depths": (1, 2, 1, 1),
        "widths": (4, 6, 9, 16),
        "heads": (1, 2, 3, 4),
        "mlp_ratios": (3, 2, 2, 1),
        "decoder_size": 5,
        "num_categories": 2,
        "num_subcategories": 3,
        "hidden_dropout_prob": 0.0,
        "drop_path_prob": 0.0,
    }
    return MvltConfig(**{**sizes, **changes})


def pixels_of(number: int, side: int = SIDE) -> np.ndarray:
    """[side, side, 3] uint8: a square of the product's colour on a white ground."""
    photo = np.full([side, side, 3], 255, np.uint8)
    start = 4 + 3 * (number % 5)
    photo[start : side - 8, start : side - 4] = list(COLOURS.values())[number % len(COLOURS)]
    return photo


def fields_of(number: int, side: int = SIDE, **changes) -> dict:
    """A record's fields."""
    text = f"a {list(COLOURS)[number % len(COLOURS)]} {KINDS[number % len(KINDS)]} {number}"
    fields = {
        "product_id": f"P{number:03d}",
        "image_id": f"P{number:03d}_1",
        "text": text,
        "title": f"{KINDS[number % len(KINDS)]} {number}",
        "category_id": 0,
        "subcategory_id": number % len(KINDS),
        "image_size": [90, 120],
        "crop_box": [0, 90, 0, 120],
        "token_ids": Tokenizer(Vocabulary())([text])[0],
        "photo": as_jpeg(pixels_of(number, side)),
    }
    return {**fields, **changes}


def as_jpeg(pixels: np.ndarray) -> bytes:
    """The photo as the bytes of a JPEG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def write(
    folder: pathlib.Path,
    count: int,
    per_shard: int = 5,
    side: int = SIDE,
    encoding: int = JPEG,
    change=lambda number: {},
) -> pathlib.Path:
    """Writes `count` records and their dataset.json into `folder`; `change(number)` alters fields
    of a record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = [range(i, min(i + per_shard, count)) for i in range(0, count, per_shard)]
    counts = {}
    for number, shard in enumerate(shards):
        path = shard_path(folder, number, len(shards))
        fields = [fields_of(n, side, **change(n)) for n in shard]
        lines = [serialize_photo_record(each, encoding) for each in fields]
        counts[path.name] = write_shard(path, lines)
    dataset = {
        "record_version": RECORD_VERSION,
        "layout": PIXELS.name,
        "image_size": side,
        "records": count,
        "shards": counts,
        "categories": ["garment"],
        "subcategories": list(KINDS),
        "catalogue_digest": CATALOGUE_DIGEST,
    }
    write_json(folder / DATASET_JSON, dataset)
    (folder / "vocab.txt").write_bytes(DEFAULT_VOCABULARY.read_bytes())
    return folder
