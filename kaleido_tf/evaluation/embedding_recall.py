"""Recall@K of vectors, in the four protocols of FashionViL's release. Fractions of 0 to 1.

A score is the dot product of two vectors. D = size of a vector, Q = queries, N = items of the
gallery. Ties count by their expected place (places.py).

The two protocols that compare with a part of the gallery (`listed_recall`, `category_recall`) give
the rest a score of -1, as the release does, though its vectors have a length of about 4: a right
item with a score below -1 counts as behind all of that rest. `search/sampled_recall.py` counts
among the candidates alone.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.places import Places, places_of

RANKS = (1, 5, 10)
COMPOSED_RANKS = (10, 50)
CATEGORY_RANKS = (10, 30, 50)
DIRECTIONS = ("i2t", "t2i")
NOT_COMPARED = -1.0
BLOCK = 512
"""Queries that are compared at once."""


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Vectors of queries, or of items: `values` [n, D] float, `ids` [n] int, equal where a query
    and an item belong together.
    """

    values: np.ndarray
    ids: np.ndarray


@dataclasses.dataclass(frozen=True)
class Lists:
    """A draw of candidates: `queries` [q] int, rows of the queries' vectors; `candidates` [q, 1 +
    others] int, rows of the gallery's.
    """

    queries: np.ndarray
    candidates: np.ndarray


def general_recall(images: Vectors, texts: Vectors) -> dict[str, float]:
    """Every query against the whole gallery: `i2t_r@1` (5, 10), where each photo of a product asks
    for its text, `t2i_r@1`, ..., where any of its photos is right, and `avg`, the mean of the six.

    Raises: InputError for NaN, or a query whose id is not in the gallery.
    """
    sides = ((images, texts), (texts, images))
    figures = {
        f"{way}_r@{k}": value
        for way, (queries, gallery) in zip(DIRECTIONS, sides)
        for k, value in _recalls(queries, gallery, RANKS).items()
    }
    return _with_mean(figures)


def listed_recall(
    images: Vectors, texts: Vectors, draws: Sequence[Mapping[str, Lists]]
) -> dict[str, float]:
    """Each query against the candidates of its list, in Kaleido-BERT's protocol one right item and
    100 others of its sub-category: keys as `general_recall`, means over the draws.

    Args: draws: (the release makes five) of {"i2t": lists, "t2i": lists}.
    Raises: InputError as `general_recall`.
    """
    sides = {"i2t": (images, texts), "t2i": (texts, images)}
    figures = {}
    for way, (queries, gallery) in sides.items():
        found = [_recalls_of_lists(queries, gallery, draw[way]) for draw in draws]
        figures |= {f"{way}_r@{k}": float(np.mean([f[k] for f in found])) for k in RANKS}
    return _with_mean(figures)


def _recalls_of_lists(queries, gallery, lists):
    def listed(scores, start):
        chosen = lists.candidates[start : start + len(scores)]
        kept = np.full_like(scores, NOT_COMPARED)
        np.put_along_axis(kept, chosen, np.take_along_axis(scores, chosen, axis=1), axis=1)
        return kept

    return _recalls(_rows(queries, lists.queries), gallery, RANKS, listed)


def composed_recall(
    queries: Vectors, targets: Vectors, are_queries: np.ndarray, groups: Sequence[str]
) -> dict[str, float]:
    """FashionIQ: `dress_r@10`, `dress_r@50`, ... of each group, and `avg`, their mean.

    A group's gallery are the different targets of all its rows, those that are no queries, too.
    Args: queries: [R, D], row by row what is asked. targets: [R, D] and ids, what is looked for.
      are_queries: [R] bool; False: the row gives its target to the gallery alone (`fake_data`).
      groups: [R] str, the garment class.
    Raises: InputError for NaN, or without any query.
    """
    places = composed_places(queries, targets, are_queries, groups)
    return _with_mean(
        {
            f"{group}_r@{k}": float(of_group.found(k).mean())
            for group, (_, of_group) in places.items()
            for k in COMPOSED_RANKS
        }
    )


def composed_places(
    queries: Vectors,
    targets: Vectors,
    are_queries: np.ndarray,
    groups: Sequence[str],
    left_out: np.ndarray | None = None,
) -> dict[str, tuple[np.ndarray, Places]]:
    """Group -> ([q] int, the rows of its queries; the places of their targets), by name.

    Args and errors: as `composed_recall`; left_out: [R] int, of each query an id, not its own, that
      it is not compared with.
    """
    names, are_queries = np.asarray(groups, str), _some(are_queries)
    places = {}
    for group in sorted(set(names[are_queries].tolist())):
        members = names == group
        asked = np.flatnonzero(members & are_queries)
        gallery = _different(_rows(targets, members))
        change = None if left_out is None else _leaving_out(left_out[asked], gallery.ids)
        places[group] = asked, _places(_rows(queries, asked), gallery, change)
    return places


def _leaving_out(ids: np.ndarray, gallery_ids: np.ndarray) -> Callable:
    """Puts one item of each query behind all others."""

    def change(scores, start):
        chosen = ids[start : start + len(scores), None] == gallery_ids
        return np.where(chosen, -np.inf, scores)

    return change


def category_recall(
    queries: Vectors, targets: Vectors, are_queries: np.ndarray, categories: np.ndarray
) -> dict[str, float]:
    """Outfit complementary item retrieval: `r@10` (30, 50), means over the categories of what each
    category's queries find among the items of that category, and `avg`, the mean of the three.

    Args: as `composed_recall`; categories: [R] int, of the item that is looked for.
    Raises: InputError for NaN, or without any query.
    """
    categories, asked = np.asarray(categories), _some(are_queries)
    firsts = np.sort(np.unique(targets.ids, return_index=True)[1])
    wanted, offered = categories[asked], categories[firsts]

    def within_category(scores, start):
        same = wanted[start : start + len(scores), None] == offered
        return np.where(same, scores, NOT_COMPARED)

    places = _places(_rows(queries, asked), _rows(targets, firsts), within_category)
    figures = {}
    for k in CATEGORY_RANKS:
        found = places.found(k)
        of_each = [found[wanted == category].mean() for category in np.unique(wanted)]
        figures[f"r@{k}"] = float(np.mean(of_each))
    return _with_mean(figures)


def _some(are_queries):
    """[R] bool. Raises: InputError if none is true."""
    are_queries = np.asarray(are_queries, bool)
    if not are_queries.any():
        raise InputError(
            "Recall needs at least one row that is a query."
            f" Received: {len(are_queries)} rows for the gallery alone"
        )
    return are_queries


def _recalls(queries, gallery, ranks, change=None) -> dict[int, float]:
    places = _places(queries, gallery, change)
    return {k: float(places.found(k).mean()) for k in ranks}


def _places(queries, gallery, change=None):
    blocks = _score_blocks(queries.values, gallery.values, change)
    return places_of(blocks, np.asarray(queries.ids), np.asarray(gallery.ids))


def _score_blocks(
    queries: np.ndarray, gallery: np.ndarray, change: Callable | None
) -> Iterator[np.ndarray]:
    """Scores [q, N] of the next q queries each, as `change` (of them and the first query) makes
    them.
    """
    for start in range(0, len(queries), BLOCK):
        scores = queries[start : start + BLOCK] @ gallery.T
        yield change(scores, start) if change else scores


def _rows(vectors: Vectors, rows: np.ndarray) -> Vectors:
    return Vectors(np.asarray(vectors.values)[rows], np.asarray(vectors.ids)[rows])


def _different(vectors: Vectors) -> Vectors:
    """Those whose id came not before."""
    return _rows(vectors, np.sort(np.unique(vectors.ids, return_index=True)[1]))


def _with_mean(figures: dict[str, float]) -> dict[str, float]:
    return {**figures, "avg": float(np.mean(list(figures.values())))}
