"""An index that is open for searches, and what of it the whole model can score again.

D = size of a vector, N = photos stored, k = products.
"""

import functools
import pathlib

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.faiss_search import FaissSearch
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.ranking import NOTHING

EXACT = "exact"


class OpenedIndex:
    """Args: folder: of the index. engine: `exact`, or a kind of FAISS.

    Attributes: index; generation, by which changes are noticed; products, how many it has.
    """

    def __init__(self, folder: pathlib.Path, engine: str):
        self.index = open_index(folder)
        self.generation = self.index.manifest.generation
        self.products = int((self.index.photos_of_products > 0).sum())
        self._engine = (
            ExactSearch(self.index) if engine == EXACT else FaissSearch(self.index, engine)
        )

    def best(
        self, asked: np.ndarray, count: int, mask: np.ndarray | None, corrected: bool | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores [k] of the best products for a vector [1, D], the best first; at most
        `count` of them. Args: mask, corrected: as a search takes them.
        """
        rows, scores = self._engine.search(asked, count, mask, corrected)
        kept = rows[0] != NOTHING
        return rows[0][kept], scores[0][kept]

    def items(self, rows: np.ndarray) -> list[dict]:
        """The items of rows [k]."""
        return [self.index.items[int(row)] for row in rows]

    def like(self, product: str, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The mean of a product's vectors [1, D], and a mask [N] without it. Raises: InputError for
        a product that is not there.
        """
        rows, missing = self.index.rows_of([product])
        if missing:
            raise InputError(f"A product of the index is needed. Received: {product}")
        mean = self.index.vectors_of(rows).astype(np.float32).mean(axis=0, keepdims=True)
        mask = self.index.alive.copy() if mask is None else mask.copy()
        mask[rows] = False
        return unit(mean), mask

    def check_photo(self, image_id: str) -> None:
        """Raises: InputError for a photo that is not, or no longer, of the index."""
        if image_id not in self._photos:
            raise InputError(f"A photo of the index is needed. Received: {image_id}")

    @functools.cached_property
    def _photos(self) -> set[str]:
        column = self.index.items.column("image_id")
        return {column.values[code][0] for code in np.unique(column.codes[self.index.alive])}


def unit(vectors: np.ndarray) -> np.ndarray:
    """[..., D] float32 of length 1; 0 stays 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
