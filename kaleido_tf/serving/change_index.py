"""Adds, replaces and deletes products of an index without building it anew:
`python -m kaleido_tf.serving.change_index --index=index --add=records/new`, `--delete=ID,ID` or
`--delete=@sold_out.txt` (an id a line), `--compact`.

What is added replaces products that are there. Searches that run meanwhile see the index as it was.
"""

import os
import pathlib
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines

flags.DEFINE_string("index", None, "Folder that kaleido_tf.serving.embed wrote.", required=True)
flags.DEFINE_list("delete", None, "Ids of products to take out, or @ and a file with an id a line.")
flags.DEFINE_string("add", None, "Records of products to add, or to replace.")
flags.DEFINE_string("fields", None, "With --add: products.jsonl, as embed takes it.")
flags.DEFINE_string(
    "model", None, "With --add: where the model is now; default: where the index says."
)
flags.DEFINE_boolean("compact", False, "Brings the index into the form of a fresh one.")
FLAGS = flags.FLAGS
STEPS = ("delete", "add", "compact")


def main(_) -> None:
    """Deletes, then adds, then compacts, as far as asked."""
    from kaleido_tf.search.index_changes import compact, delete_products
    from kaleido_tf.search.index_folder import open_index
    from kaleido_tf.search.parquet_file import NAME, write_parquet

    if not any(FLAGS[name].value for name in STEPS):
        raise InputError(f"At least one of {', '.join(f'--{name}' for name in STEPS)} is needed")
    for name in ("fields", "model"):
        if FLAGS[name].value and not FLAGS.add:
            raise InputError(f"--{name} is for --add. Received: {FLAGS[name].value}")
    folder = pathlib.Path(FLAGS.index)
    before = open_index(folder).manifest
    add = _adding(folder, before.model) if FLAGS.add else None  # refused before anything changes
    if FLAGS.delete:
        delete_products(folder, _ids(FLAGS.delete))
    try:
        if add:
            add()
        if FLAGS.compact:
            compact(folder)
    finally:
        index = open_index(folder)
        if (folder / NAME).is_file():
            write_parquet(index, folder / NAME)
    products = int((index.photos_of_products > 0).sum())
    print(f"{folder}: {int(index.alive.sum())} photos of {products} products")


def _ids(given: list[str]) -> list[str]:
    if len(given) != 1 or not given[0].startswith("@"):
        return given
    path = os.path.expanduser(given[0][1:])
    ids = [line.strip() for line in read_lines(path) if line.strip()]
    if not ids:
        raise InputError(f"--delete: ids of products are needed, one a line. Received: {path}")
    return ids


def _adding(folder: pathlib.Path, wanted: str) -> Callable[[], None]:
    """What adds the records, its inputs opened. Args: wanted: digest of the index's model."""
    from kaleido_tf.command_line.vector_model import VectorModel
    from kaleido_tf.search.index_changes import add_products
    from kaleido_tf.serving.embedded_records import blocks_of_records
    from kaleido_tf.serving.index_source import read_source
    from kaleido_tf.serving.plain_fields import read_plain_fields

    source = read_source(folder)
    fields = read_plain_fields(FLAGS.fields) if FLAGS.fields else {}
    path = FLAGS.model or source.model
    model = VectorModel(path)
    if model.digest != wanted:
        raise InputError(
            f"{folder} needs vectors of the model {wanted}. Received: {path} ({model.digest})"
        )
    table = model.open_table(FLAGS.add)

    def add() -> None:
        # First: a search that finds the products must be able to read their records.
        source.with_records(os.path.abspath(FLAGS.add)).write(folder)
        try:
            add_products(folder, blocks_of_records(model, table, fields)(0), model.digest)
        except BaseException:
            source.write(folder)
            raise

    return add


if __name__ == "__main__":
    run_command(main)
