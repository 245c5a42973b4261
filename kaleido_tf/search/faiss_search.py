"""The same searches by FAISS (the extra `faiss`), for indexes beyond some 300,000 photos.

    rows, scores = FaissSearch(open_index("index"), "hnsw").search(queries, k, mask)

Arguments and results are those of `ExactSearch`. `flat` looks at every photo and finds what
`ExactSearch` finds, but for photos whose scores are equal within rounding; `hnsw` walks a graph of
neighbours and misses some (`recall`). Where it finds fewer than k products, `ranking.NOTHING` fills
the last places. All vectors are held in memory as float32. N = photos stored, D = size of a vector.
"""

import logging

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.index_folder import Index
from kaleido_tf.search.ranking import Request, best_products, exact_scores

KINDS = ("flat", "hnsw")
_ROWS = 16_384


class FaissSearch:
    """Args:
      index: read once, when this is made.
      kind: `flat` or `hnsw`.
      links: of each photo in the graph of `hnsw`.
      breadth: how many photos a search in it keeps in view, at least; more finds more and takes
        longer.

    Raises: InputError for another kind, or where FAISS is not installed.
    """

    def __init__(self, index: Index, kind: str = "flat", links: int = 32, breadth: int = 128):
        self._faiss = needed_faiss()
        if kind not in KINDS:
            raise InputError(f"FAISS searches are {' or '.join(KINDS)}. Received: {kind}")
        self.index, self._kind, self._breadth = index, kind, breadth
        self._rows = np.flatnonzero(index.alive)
        self._hubs = index.manifest.corrected_for_hubs
        size, product = index.dimension + self._hubs, self._faiss.METRIC_INNER_PRODUCT
        if kind == "flat":
            self._found = self._faiss.IndexFlatIP(size)
        else:
            self._found = self._faiss.IndexHNSWFlat(size, links, product)
            self._found.hnsw.efConstruction = max(breadth, 2 * links)
        for first, vectors, hubness in index.blocks(_ROWS):
            kept = index.alive[first : first + len(vectors)]
            self._found.add(self._with_hubness(vectors[kept], hubness, kept))

    def _with_hubness(self, vectors, hubness, kept) -> np.ndarray:
        """2 * cosine - hubness is the product of (2 * query, -1) and (vector, hubness)."""
        vectors = vectors.astype(np.float32)
        return np.column_stack([vectors, hubness[kept]]) if self._hubs else vectors

    def search(
        self,
        queries: np.ndarray,
        k: int,
        mask: np.ndarray | None = None,
        corrected: bool | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """See the module and `ExactSearch.search`."""
        request = Request(self.index, queries, k, mask, corrected)
        rows = np.empty([len(request.queries), request.k], np.int64)
        scores = np.empty(rows.shape, np.float32)
        if not request.k:
            return rows, scores
        parameters = self._parameters(request, mask)
        _, numbers = self._found.search(self._asked(request), request.photos, params=parameters)
        for place, found in enumerate(numbers):
            candidates = self._rows[found[found >= 0]]
            exact = exact_scores(self.index, request.queries[place], candidates, request.corrected)
            rows[place], scores[place] = best_products(
                candidates, exact, self.index.products, request.k
            )
        return rows, scores

    def _asked(self, request: Request) -> np.ndarray:
        if not self._hubs:
            return np.ascontiguousarray(request.queries)
        last = np.full([len(request.queries), 1], -float(request.corrected), np.float32)
        return np.column_stack([request.queries * (1 + request.corrected), last])

    def _parameters(self, request: Request, mask: np.ndarray | None):
        chosen = {}
        if mask is not None:
            bits = np.packbits(mask[self._rows], bitorder="little")
            chosen["sel"] = self._faiss.IDSelectorBitmap(bits)
        if self._kind == "flat":
            return self._faiss.SearchParameters(**chosen)
        return self._faiss.SearchParametersHNSW(
            efSearch=max(self._breadth, request.photos), **chosen
        )


def recall(search: FaissSearch, queries: np.ndarray, k: int, mask=None) -> float:
    """The share of the k best products of each query that `search` finds, by `ExactSearch`."""
    index = search.index
    right, _ = ExactSearch(index).search(queries, k, mask)
    found, _ = search.search(queries, k, mask)
    hits = [
        np.isin(index.products[a], index.products[b[b >= 0]]).mean() for a, b in zip(right, found)
    ]
    return float(np.mean(hits))


def needed_faiss():
    """The module. Raises: InputError that says how to install it."""
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it says what it tries to load
    try:
        import faiss
    except ImportError as error:
        raise InputError(
            "FAISS is needed for this search: pip install -e '.[faiss]' (or pip install faiss-cpu)"
        ) from error
    return faiss
