"""The best products for a query, found by looking at every photo of an index.

    rows, scores = ExactSearch(open_index("index")).search(queries, k, mask)

queries [Q, D] of length 1, mask [N] bool or None -> rows [Q, k'] int64, scores [Q, k'] float32, the
best first; k' is k, or the number of products that the mask leaves, if these are fewer. A score is
the cosine, or 2 * cosine - hubness where the index is corrected for hubs. A product with several
photos counts once, by its best photo; among equal scores the first row comes first. N = photos
stored, A = those that may be found, D = size of a vector.
"""

import numpy as np

from kaleido_tf.search.half_floats import to_float32
from kaleido_tf.search.index_folder import Index
from kaleido_tf.search.ranking import Request, best_products, exact_scores

_BLOCK = 1 << 20
"""Numbers of vectors that are looked at at once: they fit the cache of a core."""
_SCORES = 1 << 26
"""Scores that are kept at once (256 MB)."""


class ExactSearch:
    """Searches an index where it lies on the disk.

    Args: block: numbers of vectors looked at at once; results do not depend on it.
    """

    def __init__(self, index: Index, block: int = _BLOCK):
        self.index = index
        self._rows_at_once = max(block // index.dimension, 1)

    def search(
        self,
        queries: np.ndarray,
        k: int,
        mask: np.ndarray | None = None,
        corrected: bool | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """See the module. Args: corrected: for hubs or not; None: as the index is.

        Raises: InputError as `Request`.
        """
        request = Request(self.index, queries, k, mask, corrected)
        rows = np.empty([len(request.queries), request.k], np.int64)
        scores = np.empty(rows.shape, np.float32)
        if not request.k:
            return rows, scores
        at_once = max(_SCORES // len(request.rows), 1)
        for start in range(0, len(rows), at_once):
            part = request.queries[start : start + at_once]
            for place, rough in enumerate(self._rough_scores(part, request)):
                found = self._best(part[place], rough, request)
                rows[start + place], scores[start + place] = found
        return rows, scores

    def _rough_scores(self, queries: np.ndarray, request: Request) -> np.ndarray:
        """[Q, A] float32, rounded somehow."""
        allowed, done = request.rows, 0
        scores = np.empty([len(queries), len(allowed)], np.float32)
        room = np.empty([self._rows_at_once, self.index.dimension], np.float32)
        for first, vectors, hubness in self.index.blocks(self._rows_at_once):
            here = slice(done, np.searchsorted(allowed, first + len(vectors)))
            done, places = here.stop, allowed[here] - first
            if not len(places):
                continue
            whole = len(places) == len(vectors)
            vectors = _as_float32(vectors if whole else vectors[places], room)
            scores[:, here] = _cosines(vectors, queries)
            if request.corrected:
                scores[:, here] *= 2
                scores[:, here] -= hubness[places]
        return scores

    def _best(self, query: np.ndarray, rough: np.ndarray, request: Request):
        """All photos that could be among the best, however their scores were rounded, are looked
        at exactly.
        """
        border = len(rough) - request.photos
        least = np.partition(rough, border)[border]
        largest = max(np.abs(rough).max(), 1.0) + 2 * request.corrected
        error = (self.index.dimension + 8) * np.finfo(np.float32).eps * largest
        rows = request.rows[rough >= least - 2 * error]
        scores = exact_scores(self.index, query, rows, request.corrected)
        return best_products(rows, scores, self.index.products, request.k)


def _cosines(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """[Q, n] float32. For one query NumPy's own sums take half the time of BLAS's."""
    if len(queries) == 1:
        return np.einsum("nd,d->n", vectors, queries[0])[None]
    return (vectors @ queries.T).T


def _as_float32(vectors: np.ndarray, room: np.ndarray) -> np.ndarray:
    if vectors.dtype == np.float16:
        return to_float32(vectors, room[: len(vectors)])
    return vectors
