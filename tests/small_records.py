"""Small sets of records for tests: random features, texts of real word pieces, no photos."""

import pathlib

import numpy as np

from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.listed_shards import DATASET_JSON
from kaleido_tf.files.tfrecord_files import shard_path, write_shard
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.records.record import KALEIDO, RECORD_VERSION, Layout, serialize_record
from kaleido_tf.text import DEFAULT_VOCABULARY, Tokenizer, Vocabulary

FEATURE_SIZE = 6
COLOURS = ("red", "blue", "green", "black", "white", "yellow", "pink", "brown")
KINDS = ("dress", "skirt", "coat")


def fields_of(
    number: int,
    feature_size: int = FEATURE_SIZE,
    images_a_product: int = 1,
    layout: Layout = KALEIDO,
    **changes,
) -> dict:
    """A record's fields; features say the colour and kind, so that a model can learn to match."""
    product = number // images_a_product
    colour, kind = product % len(COLOURS), product % len(KINDS)
    generator = np.random.default_rng(number)
    base = np.zeros(feature_size)
    base[colour % feature_size] = 2.0
    base[kind % feature_size] += 1.0
    text = f"a {COLOURS[colour]} {KINDS[kind]} with {product} buttons"
    fields = {
        "product_id": f"P{product:03d}",
        "image_id": f"P{product:03d}_{number % images_a_product + 1}",
        "text": text,
        "title": f"{KINDS[kind]} {product}",
        "category_id": 0,
        "subcategory_id": kind,
        "image_size": [40, 60],
        "crop_box": [3, 37, 5, 55],
        "patch_boxes": layout.boxes(32, 48),
        "token_ids": _tokenizer()([text])[0],
        "patch_features": base + generator.normal(0, 0.1, [layout.num_patches, feature_size]),
        "rotated_features": base + 1 + generator.normal(0, 0.1, [3, feature_size]),
        "grey_features": base / 2 + generator.normal(0, 0.1, [16, feature_size]),
    }
    return {**fields, **changes}


def viewed(number: int, layout: Layout = KALEIDO) -> dict:
    """The fields of a record where photos have two views: 2n is the plain, 2n + 1 the mirrored view
    of photo n, with features of its own.
    """
    fields = fields_of(number // 2, layout=layout, view=number % 2)
    return fields | {"patch_features": fields["patch_features"] * (1 - 0.3 * (number % 2))}


def write(
    folder: pathlib.Path,
    count: int,
    per_shard: int = 5,
    feature_size: int = FEATURE_SIZE,
    images_a_product: int = 1,
    layout: Layout = KALEIDO,
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
        lines = [
            serialize_record(
                fields_of(n, feature_size, images_a_product, layout, **change(n)), layout
            )
            for n in shard
        ]
        counts[path.name] = write_shard(path, lines)
    write_json(
        folder / DATASET_JSON,
        {
            "record_version": RECORD_VERSION,
            "layout": layout.name,
            "feature_size": feature_size,
            "records": count,
            "shards": counts,
        },
    )
    (folder / "vocab.txt").write_bytes(DEFAULT_VOCABULARY.read_bytes())
    return folder


def name_classes(folder: pathlib.Path, subcategories=KINDS, categories=("garment",)) -> None:
    """Lists the names of the records' classes in their dataset.json."""
    path = folder / DATASET_JSON
    names = {"categories": list(categories), "subcategories": list(subcategories)}
    write_json(path, {**read_json_object(path), **names})


_TOKENIZER = []


def _tokenizer() -> Tokenizer:
    if not _TOKENIZER:
        _TOKENIZER.append(Tokenizer(Vocabulary()))
    return _TOKENIZER[0]
