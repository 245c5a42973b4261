"""At which place a search puts the right answer, with ties counted by their expected place: no
order of the gallery can change a figure, and scores that are all equal give chance.

Q = queries, N = items of the gallery.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from kaleido_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Places:
    """Of each query, [Q] int: `above`, wrong items with a higher score than the best right one;
    `level`, wrong items with the same score; `winners`, right items with it (1 or more).
    """

    above: np.ndarray
    level: np.ndarray
    winners: np.ndarray

    def found(self, k: int) -> np.ndarray:
        """[Q] float: whether a right item is among the first `k`; with ties, the probability."""
        size = self.level + self.winners
        missed = np.ones(len(self.above))
        for drawn in range(k):
            # one more place among those of equal scores, drawn without putting back
            open_place = (drawn < k - self.above) & (drawn < size)
            left = np.maximum(self.level - drawn, 0) / np.maximum(size - drawn, 1)
            missed *= np.where(open_place, left, 1.0)
        return 1.0 - missed

    @property
    def expected(self) -> np.ndarray:
        """[Q] float: the place of the first right item, from 1; with ties, the mean over their
        orders.
        """
        return 1 + self.above + self.level / (self.winners + 1)

    def of(self, numbers: np.ndarray) -> "Places":
        """Those of some queries [n]."""
        return Places(self.above[numbers], self.level[numbers], self.winners[numbers])


def places_of(
    blocks: Iterable[np.ndarray], query_groups: np.ndarray, gallery_groups: np.ndarray
) -> Places:
    """From a score matrix that comes in blocks of queries.

    Args: blocks: [q, N] scores of the next q queries each, higher is better. query_groups: [Q],
      gallery_groups: [N] int; an item is right if it has the group of the query.
    Raises: InputError as `checked_blocks`.
    """
    parts = [
        count_block(scores, query_groups[start : start + len(scores)], gallery_groups)
        for start, scores in checked_blocks(blocks, len(query_groups), len(gallery_groups))
    ]
    return joined(parts)


def joined(parts: list[Places]) -> Places:
    """The places of all queries from those of some each."""
    columns = (
        np.concatenate([getattr(p, f.name) for p in parts]) for f in dataclasses.fields(Places)
    )
    return Places(*columns)


def checked_blocks(blocks: Iterable[np.ndarray], queries: int, items: int):
    """(first query, scores [q, N]) of each block. Raises: InputError for scores that are NaN;
    ValueError for blocks that are not [q, N] or not of all queries.
    """
    start = 0
    for block in blocks:
        scores = np.asarray(block)
        if scores.ndim != 2 or scores.shape[1] != items or start + len(scores) > queries:
            raise ValueError(
                f"Needed: blocks [q, {items}], {queries} queries in all. Received: {scores.shape}"
                f" after {start}"
            )
        if np.isnan(scores).any():
            query = start + int(np.argmax(np.isnan(scores).any(1))) + 1
            raise InputError(f"Scores must be numbers. Received: NaN for query {query}")
        yield start, scores
        start += len(scores)
    if start != queries or not queries:
        raise ValueError(f"Needed: scores of {queries} queries, at least 1. Received: {start}")


def count_block(scores: np.ndarray, groups: np.ndarray, gallery_groups: np.ndarray) -> Places:
    """The places of the queries [q] of one block. Raises: InputError for a query without any right
    item.
    """
    right = groups[:, None] == gallery_groups
    alone = np.flatnonzero(~right.any(1))
    if len(alone):
        raise InputError(
            "Every query needs a right answer in the gallery. Received:"
            f" {len(alone)} of {len(groups)} queries without one"
        )
    best = np.where(right, scores, -np.inf).max(1, keepdims=True)
    level = scores == best
    return Places(
        (~right & (scores > best)).sum(1), (level & ~right).sum(1), (level & right).sum(1)
    )
