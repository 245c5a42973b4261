"""Figures of a search over the whole gallery: Recall@K and the median rank, with 95% intervals.

Q = queries, N = items of the gallery. Every key says its protocol:

- `full_recall_at_1` (5, 10, 50), `full_median_rank`: each query against all N items; items of a
  product whose text is, word for word, that of the query's product are right answers, too, since
  nothing can tell them apart.
- `full_own_recall_at_1`, ..., `full_own_median_rank`: only items of the query's own product are
  right.
- `..._interval`: [low, high] of the figure, bootstrap over products (1,000 resamples, always the
  same).

Ties count by their expected place (places.py), so constant scores give chance.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from kaleido_tf.evaluation.places import Places, checked_blocks, count_block, joined, places_of
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS
from kaleido_tf.evaluation.verdict import percentiles, resamples

RANKS = (1, 5, 10, 50)
MEAN_OF = (1, 5, 10)
"""The ranks whose recalls in both directions are the mean of six."""


@dataclasses.dataclass(frozen=True)
class Side:
    """The queries, or the items of the gallery: `products` [n] str whose each is, and `texts` [n]
    str of these products.
    """

    products: Sequence[str]
    texts: Sequence[str]


def full_gallery_figures(blocks: Iterable[np.ndarray], queries: Side, gallery: Side) -> dict:
    """The figures of the module, `full_queries` Q, `full_gallery` N, and `full_equal_text_queries`:
    those with a right answer by its text alone.

    Args: blocks: [q, N] scores of the next q queries each; read once.
    Raises: InputError for NaN, or a query whose product is not in the gallery.
    """
    own = same_groups(queries.products, gallery.products)
    equal = groups_by_text(queries, gallery)
    parts: tuple[list[Places], list[Places]] = ([], [])
    for start, scores in checked_blocks(blocks, len(own[0]), len(own[1])):
        for found, (asked, items) in zip(parts, (own, equal)):
            found.append(count_block(scores, asked[start : start + len(scores)], items))
    drawn = resamples(queries.products)
    right = np.bincount(own[1], minlength=1 + own[0].max())[own[0]]
    right_by_text = np.bincount(equal[1], minlength=1 + equal[0].max())[equal[0]]
    return {
        **_figures("full", joined(parts[1]), drawn),
        **_figures("full_own", joined(parts[0]), drawn),
        "full_queries": len(own[0]),
        "full_gallery": len(own[1]),
        "full_equal_text_queries": int((right_by_text > right).sum()),
    }


def found_first(blocks: Iterable[np.ndarray], queries: Side, gallery: Side) -> np.ndarray:
    """[Q] float, whose mean is `full_recall_at_1`. Args and errors as `full_gallery_figures`."""
    return places_of(blocks, *groups_by_text(queries, gallery)).found(1)


def _figures(protocol: str, places: Places, drawn: list[np.ndarray]) -> dict:
    figures = {}
    for k in RANKS:
        found = places.found(k)
        figures[f"{protocol}_recall_at_{k}"] = float(found.mean())
        figures[f"{protocol}_recall_at_{k}_interval"] = list(
            percentiles([found[numbers].mean() for numbers in drawn])
        )
    ranks = places.expected
    figures[f"{protocol}_median_rank"] = float(np.median(ranks))
    medians = [np.median(ranks[numbers]) for numbers in drawn]
    figures[f"{protocol}_median_rank_interval"] = list(percentiles(medians))
    return figures


def mean_of_six(figures: dict[str, dict], protocol: str = "full") -> dict:
    """{`full_mean_of_six_recalls`}: the mean of Recall@1, 5 and 10 in both directions.

    Args: figures: {"img2txt": ..., "txt2img": ...}, each as `full_gallery_figures` or
      `sampled_figures` gives them.
    """
    values = [figures[way][f"{protocol}_recall_at_{k}"] for way in DIRECTIONS for k in MEAN_OF]
    return {f"{protocol}_mean_of_six_recalls": float(np.mean(values))}


def groups_by_text(queries: Side, gallery: Side) -> tuple[np.ndarray, np.ndarray]:
    """([Q], [N]) int, equal where the products or their texts are."""
    text_of = dict(zip(gallery.products, gallery.texts)) | dict(
        zip(queries.products, queries.texts)
    )
    sides = [[text_of[product] for product in side.products] for side in (queries, gallery)]
    return same_groups(*sides)


def same_groups(first: Sequence[str], second: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Both as int codes, equal where the names are."""
    numbers: dict[str, int] = {}
    return tuple(
        np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
        for names in (first, second)
    )
