"""An application for Vespa, and what it is fed: `python -m docs.vector_stores.vespa_feed
--parquet=index/embeddings.parquet --records=records/valid --exported=exported_onnx
--output_dir=vespa`. Writes `application/`, the package with the model in it, and `feed.jsonl`.

V = views of a photo, P = patches, F = numbers a patch.
"""

import json
import pathlib
import re
import shutil
from collections.abc import Iterator

import numpy as np
from absl import flags

from docs.vector_stores import rows
from docs.vector_stores.exported import Exported
from kaleido_tf.command import run_command
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.whole_files import appears_whole
from kaleido_tf.serving.recorded_photos import RecordedPhotos
from kaleido_tf.text import Vocabulary

MODEL = "match_from_features"
SCHEMA = "vespa/schemas/product.sd"
flags.DEFINE_string("parquet", None, "An index's embeddings.parquet.", required=True)
flags.DEFINE_string("records", None, "Records of the index's photos.", required=True)
flags.DEFINE_string("exported", None, "Folder of --mode=export --format=onnx.", required=True)
flags.DEFINE_string("output_dir", None, "A folder that is not there yet.", required=True)
FLAGS = flags.FLAGS


def main(_):
    """See the module."""
    file, exported = rows.open_parquet(FLAGS.parquet), Exported(FLAGS.exported)
    _check(file, exported)
    vocabulary = Vocabulary(exported.folder / "vocab.txt")
    shards = find_files(FLAGS.records)
    table = read_record_table(shards, vocabulary, exported.text_length, exported.feature_size)
    with appears_whole(FLAGS.output_dir) as folder:
        folder.mkdir()
        found = documents(file, RecordedPhotos([table]), exported)
        count, shape = _write_feed(folder / "feed.jsonl", found)
        write_application(folder / "application", file, exported, shape)
    print(f"{count} photos are in {FLAGS.output_dir}")


def _write_feed(path: pathlib.Path, found: Iterator[tuple[dict, tuple]]) -> tuple[int, tuple]:
    """How many documents it has, and their (V, P, F)."""
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


def _check(file, exported: Exported):
    said = json.loads(file.schema_arrow.metadata[b"kaleido_tf"])
    if said["model"] != exported.digest:
        raise InputError(
            f"--exported must be the model of --parquet ({said['model']}). Received:"
            f" {exported.digest}"
        )
    if pathlib.Path(FLAGS.output_dir).exists():
        raise InputError(f"--output_dir must not be there yet. Received: {FLAGS.output_dir}")


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


if __name__ == "__main__":
    run_command(main)
