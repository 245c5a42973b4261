"""Finds products of an index: `python -m kaleido_tf.serving.search --index=index --text="a red wool
coat"`, or with --like the products that look like one of its own.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.faiss_search import KINDS, FaissSearch
from kaleido_tf.search.filters import mask_of
from kaleido_tf.search.index_folder import Index, open_index
from kaleido_tf.serving.found_table import found_table

EXACT = "exact"

flags.DEFINE_string("index", None, "Folder that kaleido_tf.serving.embed wrote.", required=True)
flags.DEFINE_string("text", None, "Words that describe what is sought.")
flags.DEFINE_string("like", None, "Id of a product of the index: others like it are sought.")
flags.DEFINE_string(
    "filter", None, "Fields that results must have: category=Dress,colour=blue|navy."
)
flags.DEFINE_integer("top", 12, "Products to find.", lower_bound=1)
flags.DEFINE_enum(
    "engine",
    EXACT,
    [EXACT, *KINDS],
    "exact looks at every photo with NumPy; flat and hnsw by FAISS (extra faiss), whose graph of"
    " hnsw each command builds anew.",
)
flags.DEFINE_string("model", None, "Model of --text; default: the one the index was made with.")
FLAGS = flags.FLAGS


def main(_) -> None:
    """Searches, and prints a line a product."""
    asked = [name for name in ("text", "like") if FLAGS[name].value is not None]
    if len(asked) != 1:
        given = " and ".join(f"--{name}" for name in asked) or "neither"
        raise InputError(f"One of --text and --like is needed. Received: {given}")
    if FLAGS.model and FLAGS.like is not None:
        raise InputError(f"--model is for --text; --like needs none. Received: {FLAGS.model}")
    index = open_index(FLAGS.index)
    mask = None if FLAGS.filter is None else mask_of(index, FLAGS.filter)
    if FLAGS.like is not None:
        query, mask = _like(index, FLAGS.like, mask)
    else:
        query = _of_text(index, FLAGS.text)
    engine = ExactSearch(index) if FLAGS.engine == EXACT else FaissSearch(index, FLAGS.engine)
    # Hubness is nearness to texts, and says nothing of how near two photos are.
    corrected = None if FLAGS.like is None else False
    rows, scores = engine.search(query, _top(index), mask, corrected)
    print(found_table(index, rows[0], scores[0]))


def _top(index: Index) -> int:
    """How many products are asked for; where nothing is said, no more than there are."""
    if FLAGS["top"].present:
        return FLAGS.top
    return min(FLAGS.top, int((index.photos_of_products > 0).sum()))


def _of_text(index: Index, text: str) -> np.ndarray:
    """[1, D]. Raises: InputError for a model that did not make the index."""
    if not text.strip():
        raise InputError("--text: words are needed. Received an empty text")
    from kaleido_tf.command_line.vector_model import VectorModel
    from kaleido_tf.serving.index_source import read_source

    path = FLAGS.model or read_source(pathlib.Path(FLAGS.index)).model
    model = VectorModel(path)
    if model.digest != index.manifest.model:
        raise InputError(
            f"The model that the index was made with is needed ({index.manifest.model}). Received:"
            f" {path} ({model.digest})"
        )
    return model.of_words([text])


def _like(index: Index, product: str, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The mean of a product's vectors [1, D], and a mask without it."""
    rows, missing = index.rows_of([product])
    if missing:
        raise InputError(f"--like: a product of the index is needed. Received: {product}")
    mean = index.vectors_of(rows).astype(np.float32).mean(axis=0, keepdims=True)
    mask = index.alive.copy() if mask is None else mask.copy()
    mask[rows] = False
    return mean / np.linalg.norm(mean), mask


if __name__ == "__main__":
    run_command(main)
