"""From scores of photos to the best products: one order, whoever computed the scores.

N = photos, n = candidates among them, Q = queries, k = products asked for.
"""

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.search.block import check_vectors
from kaleido_tf.search.index_folder import Index

NOTHING = -1
"""Row of a place for which nothing was found; its score is minus infinity."""


class Request:
    """What is asked of an index, checked.

    Args: queries: [Q, D] of length 1. mask: [N] bool, the rows that may be found, or None.
      corrected: whether scores are 2 * cosine - hubness; None: as the index is.
    Attributes: `queries` [Q, D] float32; `rows` [n] that may be found; `k`, at most the products
      among these; `photos`, so many that the best ones hold k products; `corrected`.
    Raises: InputError for wrong queries, a k that is below 1 or above the products of the index, or
      a correction that the index does not know.
    """

    def __init__(self, index: Index, queries: np.ndarray, k: int, mask=None, corrected=None):
        check_vectors(queries, index.dimension)
        self.queries = np.asarray(queries, np.float32)
        most = int((index.photos_of_products > 0).sum())
        if not 1 <= k <= most:
            raise InputError(
                f"The number of products asked for must be 1 to {most}, those in the index"
                f" {index.folder}. Received: {k}"
            )
        if mask is not None and (mask.shape != (len(index),) or mask.dtype != bool):
            raise ValueError(f"Needed: a mask [{len(index)}] bool. Received: {mask.shape}")
        allowed = index.alive if mask is None else index.alive & mask
        self.rows = np.flatnonzero(allowed)
        counts = index.photos_of_products
        if mask is not None:
            counts = np.bincount(index.products[self.rows], minlength=1)
        self.k = min(k, int((counts > 0).sum()))
        self.photos = min(self.k * int(counts.max()), len(self.rows))
        known = index.manifest.corrected_for_hubs
        self.corrected = known if corrected is None else corrected
        if self.corrected and not known:
            raise InputError(f"The index {index.folder} has no hubness to correct scores by")


def exact_scores(index: Index, query: np.ndarray, rows: np.ndarray, corrected: bool) -> np.ndarray:
    """[n] float32 scores of a query [D] for rows [n]. They depend on the query and the row alone,
    whatever else is computed beside.

    Products of BLAS do not: how a sum is rounded depends on the shapes of the matrices.
    """
    vectors = index.vectors_of(rows).astype(np.float64)
    cosines = np.einsum("nd,d->n", vectors, query.astype(np.float64))
    if corrected:
        return (2 * cosines - index.hubness_of(rows)).astype(np.float32)
    return cosines.astype(np.float32)


def best_products(
    rows: np.ndarray, scores: np.ndarray, products: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """([k] rows, [k] scores) of the best photo of each of the k best products, the best first;
    among equal scores the first row.

    Args: rows, scores: [n] candidates. products: [N], equal for photos of one product. Where there
      are fewer than k products, `NOTHING` follows them.
    """
    order = np.lexsort((rows, -scores))
    _, firsts = np.unique(products[rows[order]], return_index=True)
    chosen = order[np.sort(firsts)[:k]]
    missing = (0, k - len(chosen))
    return (
        np.pad(rows[chosen], missing, constant_values=NOTHING),
        np.pad(scores[chosen].astype(np.float32), missing, constant_values=-np.inf),
    )
