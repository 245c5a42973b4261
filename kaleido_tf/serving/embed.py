"""Writes the index of a catalogue's photos, to be searched: `python -m kaleido_tf.serving.embed
--records=records/valid --model=model --output_dir=index`.

Killed half way, the same command goes on. A finished index stays as it is.
"""

import hashlib
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import declared_by, read_dataset_json
from kaleido_tf.search.manifest import DTYPES
from kaleido_tf.serving import network_flags
from kaleido_tf.serving.network_flags import define_network_flags

flags.DEFINE_string("records", None, "Records: a file, a glob or a directory of shards.")
flags.DEFINE_string("model", None, "Folder or checkpoint of a trained model.")
flags.DEFINE_string("output_dir", None, "Folder of the index.")
flags.DEFINE_string(
    "fields",
    None,
    "products.jsonl whose further fields (colour, price, ...) filters are to know; default: title,"
    " text, category and sub-category of the records alone.",
)
flags.DEFINE_string(
    "held_out",
    None,
    "Records that training has not seen: from what searches find among them follows how probable a"
    " match is. Without it answers have scores and no probabilities.",
)
flags.DEFINE_enum("dtype", "float16", DTYPES, "Numbers of the vectors.")
flags.DEFINE_boolean(
    "parquet", True, "Whether to write embeddings.parquet beside them, for vector stores."
)
define_network_flags("for searches by photos from outside, which may name it, too.")
flags.mark_flags_as_required(["records", "model", "output_dir"])
flags.adopt_module_key_flags(network_flags)
FLAGS = flags.FLAGS


def main(_) -> None:
    """Opens model and records, writes the index, and calibrates it."""
    from kaleido_tf.command_line.vector_model import VectorModel
    from kaleido_tf.search.index_changes import store_calibration
    from kaleido_tf.search.index_folder import open_index
    from kaleido_tf.search.parquet_file import NAME, write_parquet
    from kaleido_tf.serving.held_out import calibrations
    from kaleido_tf.serving.plain_fields import read_plain_fields

    fields = read_plain_fields(FLAGS.fields) if FLAGS.fields else {}
    model = VectorModel(FLAGS.model)
    table = model.open_table(FLAGS.records)
    held_out = model.open_table(FLAGS.held_out) if FLAGS.held_out else None
    if fields and not set(fields) & set(table.product_ids):
        raise InputError(f"--fields: products of the records are needed. Received: {FLAGS.fields}")
    source = _source(table)
    folder = pathlib.Path(FLAGS.output_dir)
    _write(folder, model, table, fields)
    source.write(folder)
    if held_out:
        content, lines = calibrations(model, held_out)
        store_calibration(folder, content)
        print("\n".join(f"probabilities of {line}" for line in lines))
    if FLAGS.parquet:
        write_parquet(open_index(folder), folder / NAME)


def _source(table):
    """Where the index comes from; a network that is named must be that of the records."""
    from kaleido_tf.serving.index_source import IndexSource
    from kaleido_tf.serving.photo_patches import NetworkFiles, PhotoPatches, how_photos_were_made

    made = how_photos_were_made(declared_by(list(table.files)))
    networks = network_flags.networks_of_flags(NetworkFiles())
    if networks != NetworkFiles():
        PhotoPatches(made, networks, FLAGS.records)
    model, records = map(os.path.abspath, (FLAGS.model, FLAGS.records))
    return IndexSource(model, (records,), made, networks)


def _write(folder: pathlib.Path, model, table, fields: dict[str, dict]) -> None:
    from kaleido_tf.search.index_writing import IndexSettings, write_index
    from kaleido_tf.serving.embedded_records import blocks_of_records

    settings = IndexSettings(
        model.digest, model.dimension, FLAGS.dtype, model.vectors.corrects_hubs
    )
    blocks = blocks_of_records(model, table, fields)
    manifest = write_index(folder, blocks, settings, _digest(table, fields))
    print(
        f"{folder}: {manifest.count} photos of {len(set(table.product_ids))} products, vectors of"
        f" {manifest.dimension} {manifest.dtype}"
        + (", corrected for hubs" if manifest.corrected_for_hubs else "")
    )


def _digest(table, fields: dict[str, dict]) -> str:
    """Of all that decides the index beside the model: which records, what their folders say of them
    (features, names of classes), and the further fields.
    """
    folders = sorted({os.path.dirname(file) or "." for file in table.files})
    said = [{**read_dataset_json(folder), "alignments": None} for folder in folders]
    parts = [table.image_ids.tolist(), table.product_ids.tolist(), said, sorted(fields.items())]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    run_command(main)
