"""Products with several photos: does the first find the others among those of all products?

    python -m benchmarks.other_photos --records=pixels/valid --model=fashion_vil

Asked is with each product's first photo, found are the others of all products; products of equal
texts are the same right answer. Beside the model's vectors stand like colours, and photos that are
alike cell by cell. Figures are Recall@1, 5 and 10 and the median rank with 95% intervals.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.recall_lines import print_recalls
from kaleido_tf.command import run_command
from kaleido_tf.command_line.examples import open_table, open_vocabulary
from kaleido_tf.command_line.model_source import model_to_use
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.colour_histograms import colour_histograms
from kaleido_tf.evaluation.vectors import Vectors
from kaleido_tf.families import build_model
from kaleido_tf.records.dataset_json import shares_photos
from kaleido_tf.records.photo import parse_photo
from kaleido_tf.records.shared_photos import open_shards
from kaleido_tf.search.gallery_recall import Side, full_gallery_figures

flags.DEFINE_string("records", None, "Pixel records of such products.", required=True)
flags.DEFINE_string("model", None, "Folder or checkpoint of a trained FashionViL.", required=True)
FLAGS = flags.FLAGS
AT_ONCE = 64
CELLS = 8
"""A side of a photo."""


def main(_):
    model, table = _open(FLAGS.model, FLAGS.records)
    photos = np.concatenate([_photos(path, table.size) for path in table.files])
    products = table.product_ids.astype(str)
    # Records lie in the order of the catalogue, whose first photo is the one that a shop shows.
    _, firsts, owners = np.unique(products, return_index=True, return_inverse=True)
    asks = np.bincount(owners)[owners] > 1
    asks &= np.isin(np.arange(len(products)), firsts)
    found = ~np.isin(np.arange(len(products)), firsts)
    if not asks.any():
        raise InputError(f"Products with several photos are needed. Received: {FLAGS.records}")
    texts = table.whole_texts.astype(str)
    queries, gallery = (Side(products[which], texts[which]) for which in (asks, found))
    print(f"{asks.sum()} first photos ask for {found.sum()} others")
    ways = {
        "like colours": np.concatenate([colour_histograms(part) for part in _blocks(photos)]),
        "alike cell by cell": _cells(photos),
        "the model": Vectors(model).of_photos(photos),
    }
    for name, vectors in ways.items():
        figures = full_gallery_figures([vectors[asks] @ vectors[found].T], queries, gallery)
        print_recalls(name, figures)


def _open(path: str, records: str) -> tuple[object, RecordTable]:
    source = model_to_use(path, None)
    config, vocabulary = source.config, open_vocabulary(source.vocabulary, source.config)
    length = min(config.text_seq_len, config.max_position_embeddings)
    model = build_model(config, (), length)
    _ = model.matcher
    load_weights(model, source.start)
    table = open_table(records, config, vocabulary, length)
    if not table.layout.holds_pixels:
        raise InputError(f"Records of pixels are needed. Received: {records}")
    return model, table


def _photos(path: str, size: int) -> np.ndarray:
    """[n, s, s, 3] uint8 of a shard."""
    records = open_shards(path, shares_photos([path]))
    photos = records.map(lambda record: parse_photo(record, size))
    return np.stack(list(photos.as_numpy_iterator()))


def _blocks(photos: np.ndarray) -> list[np.ndarray]:
    return np.array_split(photos, -(-len(photos) // AT_ONCE))


def _cells(photos: np.ndarray) -> np.ndarray:
    """[n, 192] of length 1: the mean colours of cells, less those of all photos."""
    cells = tf.image.resize(photos, [CELLS, CELLS], method="area").numpy().reshape(len(photos), -1)
    cells -= cells.mean(axis=0)
    return cells / np.linalg.norm(cells, axis=1, keepdims=True)


if __name__ == "__main__":
    run_command(main)
