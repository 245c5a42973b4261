"""What a search of one query costs over galleries of several sizes: the exact search over float16
and float32 files, and FAISS.

    taskset -c 0 python -m benchmarks.search_cost

Vectors are drawn. All runs on one core; processor time, since wall time depends on what else runs.
A first search reads the products of all items, which is the time of opening.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pathlib
import resource
import tempfile
import time

import numpy as np
from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.search.block import Block
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.faiss_search import FaissSearch, recall
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.index_writing import IndexSettings, write_index

flags.DEFINE_list("sizes", ["1000", "10000", "100000"], "Photos in the gallery.")
flags.DEFINE_integer("dimension", 256, "Size of a vector.", lower_bound=2)
flags.DEFINE_integer("queries", 20, "Queries; their median is reported.", lower_bound=1)
flags.DEFINE_integer("k", 50, "Products asked for.", lower_bound=1)
flags.DEFINE_bool("hnsw", False, "Whether to build FAISS's graph, too, which takes minutes.")
flags.DEFINE_string("folder", None, "Where the indexes are written; default: a temporary folder.")
FLAGS = flags.FLAGS

_ROWS = 8192


def unit_vectors(generator, count: int, dimension: int) -> np.ndarray:
    rows = generator.standard_normal([count, dimension], np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def drawn_blocks(count: int, dimension: int, done: int = 0):
    for start in range(done, count, _ROWS):
        numbers = range(start, min(start + _ROWS, count))
        ids = [f"P{number:07d}" for number in numbers]
        vectors = unit_vectors(np.random.default_rng(start), len(ids), dimension)
        yield Block(ids, ids, [{"category": f"c{n % 20}"} for n in numbers], vectors)


def drawn_index(folder: pathlib.Path, count: int, dimension: int, dtype: str):
    settings = IndexSettings("drawn", dimension, dtype)
    parts = lambda done: drawn_blocks(count, dimension, done)  # noqa: E731
    write_index(folder, parts, settings, f"{count}")
    return open_index(folder)


def seconds_of(function) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def cost(search, queries: np.ndarray, k: int) -> float:
    """Median seconds of a search for one query."""
    search.search(queries[:1], k)
    return float(np.median([seconds_of(lambda q=q: search.search(q[None], k)) for q in queries]))


def row(folder: pathlib.Path, count: int, dtype: str) -> str:
    """A line of the table."""
    path = folder / f"{count}_{dtype}"
    writing = seconds_of(lambda: drawn_index(path, count, FLAGS.dimension, dtype))
    index = open_index(path)
    opening = seconds_of(lambda: index.photos_of_products)
    queries = unit_vectors(np.random.default_rng(7), FLAGS.queries, FLAGS.dimension)
    k = min(FLAGS.k, count)
    cells = [f"{count:,}", dtype, f"{writing:.2f}", f"{opening:.3f}"]
    cells.append(f"{1000 * cost(ExactSearch(index), queries, k):.2f}")
    for kind in ("flat", "hnsw") if FLAGS.hnsw else ("flat",):
        search = FaissSearch(index, kind)
        cells.append(f"{1000 * cost(search, queries, k):.2f}")
    if FLAGS.hnsw:
        cells.append(f"{recall(search, queries, k):.3f}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return "| " + " | ".join([*cells, f"{memory:.2f}"]) + " |"


def main(_):
    names = ["photos", "numbers", "writing s", "opening s", "exact ms", "FAISS flat ms"]
    names += ["FAISS HNSW ms", f"its recall at {FLAGS.k}"] if FLAGS.hnsw else []
    print("| " + " | ".join([*names, "most memory so far GB"]) + " |")
    print("|" + "--:|" * (len(names) + 1))
    with tempfile.TemporaryDirectory(dir=FLAGS.folder) as folder:
        for size in map(int, FLAGS.sizes):
            for dtype in ("float16", "float32"):
                print(row(pathlib.Path(folder), size, dtype), flush=True)


if __name__ == "__main__":
    run_command(main)
