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
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.search.manifest import DTYPES

flags.DEFINE_string("records", None, "Records: a file, a glob or a directory of shards.")
flags.DEFINE_string("model", None, "Folder or checkpoint of a trained model.")
flags.DEFINE_string("output_dir", None, "Folder of the index.")
flags.DEFINE_string(
    "fields",
    None,
    "products.jsonl whose further fields (colour, price, ...) filters are to know; default: title,"
    " text, category and sub-category of the records alone.",
)
flags.DEFINE_enum("dtype", "float16", DTYPES, "Numbers of the vectors.")
flags.DEFINE_boolean(
    "parquet", True, "Whether to write embeddings.parquet beside them, for vector stores."
)
flags.mark_flags_as_required(["records", "model", "output_dir"])
FLAGS = flags.FLAGS
PARQUET = "embeddings.parquet"


def main(_) -> None:
    """Opens model and records, then writes the index."""
    from kaleido_tf.command_line.vector_model import VectorModel
    from kaleido_tf.search.index_folder import open_index
    from kaleido_tf.search.index_writing import IndexSettings, write_index
    from kaleido_tf.search.parquet_file import write_parquet
    from kaleido_tf.serving.embedded_records import blocks_of_records
    from kaleido_tf.serving.index_source import IndexSource
    from kaleido_tf.serving.plain_fields import read_plain_fields

    fields = read_plain_fields(FLAGS.fields) if FLAGS.fields else {}
    model = VectorModel(FLAGS.model)
    table = model.open_table(FLAGS.records)
    settings = IndexSettings(
        model.digest, model.dimension, FLAGS.dtype, model.vectors.corrects_hubs
    )
    digest = _digest(table, fields)
    if fields and not set(fields) & set(table.product_ids):
        raise InputError(f"--fields: products of the records are needed. Received: {FLAGS.fields}")
    blocks = blocks_of_records(model, table, fields)
    folder = pathlib.Path(FLAGS.output_dir)
    manifest = write_index(folder, blocks, settings, digest)
    IndexSource(*map(os.path.abspath, (FLAGS.model, FLAGS.records))).write(folder)
    if FLAGS.parquet:
        write_parquet(open_index(folder), folder / PARQUET)
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
