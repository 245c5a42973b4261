"""Small drawn indexes for tests: unit vectors with a seed, products of one photo or several."""

import numpy as np

from kaleido_tf.search.block import Block
from kaleido_tf.search.index_writing import IndexSettings, write_index

DIMENSION = 7
COLOURS = ("Blue", "Navy", "Red")


def unit_vectors(count, seed=0, dimension=DIMENSION):
    rows = np.random.default_rng(seed).normal(size=[count, dimension])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def block(products, seed=0, vectors=None, hubness=None, **fields):
    """A block of photos of these products; `fields` {name: value of all, or a list of [n]}."""
    count = len(products)
    columns = {k: v if isinstance(v, list) else [v] * count for k, v in fields.items()}
    return Block(
        products,
        [f"{product}_{place}" for place, product in enumerate(products)],
        [{name: values[place] for name, values in columns.items()} for place in range(count)],
        unit_vectors(count, seed) if vectors is None else vectors,
        hubness,
    )


def blocks(count, photos=1, seed=0, size=5, corrected=False):
    """Blocks of `size` photos: products P000, P001, ..., each with `photos` of them."""
    vectors = unit_vectors(count, seed)
    hubness = np.random.default_rng(seed).normal(size=count).astype(np.float32) / 5
    for start in range(0, count, size):
        numbers = range(start, min(start + size, count))
        yield block(
            [f"P{number // photos:03d}" for number in numbers],
            vectors=vectors[start : start + size],
            hubness=hubness[start : start + size] if corrected else None,
            colour=[COLOURS[number // photos % 3] for number in numbers],
            price=[number // photos + 0.5 for number in numbers],
        )


def write(folder, count=23, photos=1, seed=0, dtype="float32", corrected=False):
    settings = IndexSettings("model", DIMENSION, dtype, corrected)
    parts = lambda done: blocks(count, photos, seed, corrected=corrected)  # noqa: E731
    write_index(folder, parts, settings, f"drawn {count} {photos} {seed}")
    return folder
