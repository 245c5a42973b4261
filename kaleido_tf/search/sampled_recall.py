"""Recall among sampled candidates, as FashionViL reports it: 1,000 queries, each against its right
answer and 100 others, drawn five times with a seed; the mean over the draws and their spread.

Q = queries, N = items of the gallery. The keys say how many were drawn:
`sampled_1000x101_recall_at_1` (5, 10), or `sampled_347x101_...` where there are only 347 queries.
Others never have the product or the text of the query. Such figures are far above those of a whole
gallery, and comparable only with others of the same protocol.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.places import Places, checked_blocks, joined
from kaleido_tf.search.gallery_recall import Side, groups_by_text, same_groups

RANKS = (1, 5, 10)
QUERIES, OTHERS, DRAWS = 1000, 100, 5
_NONE = -1


@dataclasses.dataclass(frozen=True)
class Draw:
    """`queries` [q] int, ascending; `lists` [q, 1 + others] int: the right item of the gallery,
    then others, -1 where the gallery has no more.
    """

    queries: np.ndarray
    lists: np.ndarray


def sampled_figures(
    blocks: Iterable[np.ndarray],
    queries: Side,
    gallery: Side,
    kinds: tuple[Sequence[str], Sequence[str]] | None = None,
    seed: int = 0,
) -> dict:
    """The recalls of the module, each with `..._spread` (standard deviation over the draws), and
    `sampled_..._candidates`: fewest, mean and most of a list.

    Args: blocks: [q, N] scores of the next q queries each; read once. kinds: names [Q] and [N],
      e.g. sub-categories; others are then of the query's kind, and of others where these are too
      few, as in FashionViL's release.
    Raises: InputError for NaN, a query whose product is not in the gallery, or one without any
      other.
    """
    draws = draw_lists(queries, gallery, kinds, seed)
    parts: list[list[Places]] = [[] for _ in draws]
    for start, scores in checked_blocks(blocks, len(queries.products), len(gallery.products)):
        for draw, found in zip(draws, parts):
            here = slice(*np.searchsorted(draw.queries, [start, start + len(scores)]))
            found.append(_places(scores[draw.queries[here] - start], draw.lists[here]))
    protocol = f"sampled_{len(draws[0].queries)}x{OTHERS + 1}"
    places, figures = [joined(part) for part in parts], {}
    for k in RANKS:
        values = [part.found(k).mean() for part in places]
        figures[f"{protocol}_recall_at_{k}"] = float(np.mean(values))
        figures[f"{protocol}_recall_at_{k}_spread"] = float(np.std(values, ddof=1))
    sizes = np.concatenate([(draw.lists != _NONE).sum(1) for draw in draws])
    candidates = [int(sizes.min()), float(sizes.mean()), int(sizes.max())]
    return {**figures, f"{protocol}_candidates": candidates}


def _places(scores: np.ndarray, lists: np.ndarray) -> Places:
    """Args: scores: [q, N]; lists: [q, 1 + others]."""
    found = np.take_along_axis(scores, np.maximum(lists, 0), axis=1)
    right, others, there = found[:, :1], found[:, 1:], lists[:, 1:] != _NONE
    above, level = (others > right) & there, (others == right) & there
    return Places(above.sum(1), level.sum(1), np.ones(len(lists), np.int64))


def draw_lists(queries: Side, gallery: Side, kinds=None, seed: int = 0) -> list[Draw]:
    """`DRAWS` draws; see `sampled_figures`."""
    own = same_groups(queries.products, gallery.products)
    equal = groups_by_text(queries, gallery)
    if kinds is None:
        kinds = ([""] * len(own[0]), [""] * len(own[1]))
    kind = same_groups(*kinds)
    members, pools = _members(own[1]), _members(kind[1])
    generator, count = np.random.default_rng(seed), min(QUERIES, len(own[0]))
    draws = []
    for _ in range(DRAWS):
        chosen = np.sort(generator.choice(len(own[0]), count, replace=False))
        lists = np.full([count, 1 + OTHERS], _NONE)
        for row, query in enumerate(chosen):
            right = members.get(own[0][query], ())
            pool = pools.get(kind[0][query], np.array([], np.int64))
            pool = pool[equal[1][pool] != equal[0][query]]
            _check(queries.products[query], len(right), (equal[1] != equal[0][query]).sum())
            others = _some(generator, pool, OTHERS)
            if len(others) < OTHERS:
                rest = np.flatnonzero((equal[1] != equal[0][query]) & (kind[1] != kind[0][query]))
                others = np.concatenate([others, _some(generator, rest, OTHERS - len(others))])
            lists[row, 0] = generator.choice(right)
            lists[row, 1 : 1 + len(others)] = others
        draws.append(Draw(chosen, lists))
    return draws


def _some(generator, pool: np.ndarray, count: int) -> np.ndarray:
    return generator.choice(pool, min(count, len(pool)), replace=False)


def _check(product: str, right: int, others: int) -> None:
    if not right or not others:
        raise InputError(
            "Every query needs its right answer and another in the gallery. Received none for"
            f" product {product}"
        )


def _members(groups: np.ndarray) -> dict[int, np.ndarray]:
    order = np.argsort(groups, kind="stable")
    names, firsts = np.unique(groups[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, firsts[1:])))
