"""What Vespa is given: the application package with the exported model in it, and documents.

V = views of a photo, P = patches, F = numbers a patch.
"""

import json
import pathlib
import re
import shutil
from collections.abc import Iterator

import numpy as np

from docs.vector_stores import rows
from docs.vector_stores.exported import Exported
from kaleido_tf.errors import InputError
from kaleido_tf.serving.recorded_photos import RecordedPhotos

MODEL = "match_from_features"
SCHEMA = "vespa/schemas/product.sd"


def documents(file, photos: RecordedPhotos, exported: Exported) -> Iterator[tuple[dict, tuple]]:
    """The fields of each photo's document, those that the schema names, and (V, P, F)."""
    names = set(re.findall(r"field (\w+) type", rows.filled(SCHEMA)))
    for batch in rows.batches(file):
        for row in batch:
            features, boxes = photos.read(row["id"])
            features, boxes = features.astype(np.float32), boxes.astype(np.int32)
            hubness = exported.ask(
                "photo_match_hubness", "match_hubness", patch_features=features, patch_boxes=boxes
            )
            row |= {
                "vector": {"values": row["vector"]},
                "patch_features": {"values": in_hex(features)},
                "patch_boxes": {"values": boxes.ravel().tolist()},
                "photo_match_hubness": {"values": hubness.tolist()},
            }
            yield {name: value for name, value in row.items() if name in names}, features.shape


def in_hex(numbers: np.ndarray) -> str:
    """The cells of a dense float tensor as Vespa takes them in hexadecimal digits."""
    return numbers.astype(">f4").tobytes().hex()


def write_application(folder: pathlib.Path, file, exported: Exported, shape: tuple) -> None:
    """The package. Args: shape: (V, P, F)."""
    (folder / "schemas").mkdir(parents=True)
    (folder / "files").mkdir()
    values = dict(zip(("VIEWS", "PATCHES", "FEATURE_SIZE"), shape))
    values |= {"COMPONENTS": rows.components(file), "TEXT_LENGTH": exported.text_length}
    (folder / "schemas" / "product.sd").write_text(rows.filled(SCHEMA, **values), encoding="utf-8")
    shutil.copy(rows.FOLDER / "vespa" / "services.xml", folder)
    shutil.copy(exported.path(MODEL), folder / "files")


def write_feed(path: pathlib.Path, found: Iterator[tuple[dict, tuple]]) -> tuple[int, tuple]:
    """Returns: how many documents it has, and their (V, P, F).

    Raises: InputError for photos in other numbers of views.
    """
    count, first = 0, ()
    with open(path, "w", encoding="utf-8") as feed:
        for fields, shape in found:
            first = first or shape
            if shape != first:
                raise InputError(
                    "--records must show every photo in as many views. Received:"
                    f" {fields['id']} in {shape[0]}, others in {first[0]}"
                )
            put = {"put": f"id:shop:product::{fields['id']}", "fields": fields}
            feed.write(json.dumps(put, ensure_ascii=False) + "\n")
            count += 1
    return count, first
