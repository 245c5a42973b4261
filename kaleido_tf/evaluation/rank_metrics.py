"""Rank@K, accuracy and AUC of candidate lists (section 4.2), on plain arrays: no model and no files
in here.

Q = queries, N = scored pairs. The protocol: each query has its own list of candidates (1 positive
against 100 others of the same sub-category in the paper), sorted by score, and counts for Rank@K if
a positive is among the first K.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

DIRECTIONS = ("img2txt", "txt2img")
RANKS = (1, 5, 10, 100)


@dataclasses.dataclass(frozen=True)
class RetrievalMetrics:
    """Figures of one direction.

    `rank` {K: share of queries}; `chance` {K: what random scores give}; `interval` {K: 95% Wilson
    interval of the share over the queries}; `accuracy` of the label (match if its logit is larger)
    and `accuracy_chance` (always saying the more frequent one); `auc` over all pairs; `queries`,
    `queries_without_positive` (count as never found), `queries_with_ties` (a positive shares its
    score with another candidate), `candidates` (smallest, mean, largest), `equal_texts` (pairs of
    two products that count as right since these share their text).
    """

    rank: dict[int, float]
    chance: dict[int, float]
    interval: dict[int, tuple[float, float]]
    accuracy: float
    accuracy_chance: float
    auc: float
    queries: int
    queries_without_positive: int
    queries_with_ties: int
    candidates: tuple[int, float, int]
    examples: int
    equal_texts: int = 0


def evaluate_retrieval(
    queries: Sequence[str],
    labels: np.ndarray,
    logits: np.ndarray,
    ties: str = "average",
    equal_texts: int = 0,
) -> RetrievalMetrics:
    """Figures from scored pairs.

    Args:
      queries: [N] query id of each pair; pairs of a query need not stand together.
      labels: [N] 1 for the query's own text or image, or one with the very text of it; 0 for
        another's.
      logits: [N, 2] of (mismatch, match); the score of a pair is the match logit, as in the
        original.
      ties: `average` counts a positive that ties with m others at the border by its expected place,
        which no order of lines can change (default); `file_order` ranks equal scores in the order
        of the pairs, as the original.
      equal_texts: how many labels are 1 by the text alone; it is handed on.
    Raises: ValueError for arrays of unequal length or without any pair.
    """
    labels, logits = np.asarray(labels).astype(bool), np.asarray(logits, np.float64)
    if not len(queries) or len(labels) != len(queries) or logits.shape != (len(queries), 2):
        raise ValueError(
            f"Needed: N > 0 queries, [N] labels, [N, 2] logits. Received: {len(queries)},"
            f" {labels.shape}, {logits.shape}"
        )
    if ties not in ("average", "file_order"):
        raise ValueError(f"`ties` must be average or file_order. Received: {ties}")
    groups = group_pairs(queries)
    hits = {k: [] for k in RANKS}
    chance = {k: [] for k in RANKS}
    tied = without = 0
    for members in groups:
        scores, positive = logits[members, 1], labels[members]
        without += not positive.any()
        tied += bool(positive.any() and np.isin(scores[positive], scores[~positive]).any())
        for k in RANKS:
            hits[k].append(_found_at(scores, positive, k, ties))
            chance[k].append(_found_at(np.zeros(len(members)), positive, k, "average"))
    sizes = [len(members) for members in groups]
    share = labels.mean()
    return RetrievalMetrics(
        rank={k: float(np.mean(values)) for k, values in hits.items()},
        chance={k: float(np.mean(values)) for k, values in chance.items()},
        interval={
            k: wilson_interval(float(np.sum(values)), len(values)) for k, values in hits.items()
        },
        accuracy=float(np.mean((logits[:, 1] > logits[:, 0]) == labels)),
        accuracy_chance=float(max(share, 1 - share)),
        auc=area_under_curve(labels, logits[:, 1]),
        queries=len(groups),
        queries_without_positive=int(without),
        queries_with_ties=int(tied),
        candidates=(min(sizes), float(np.mean(sizes)), max(sizes)),
        examples=len(labels),
        equal_texts=equal_texts,
    )


def found_first(queries: Sequence[str], labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[Q]: 1 for a query whose positive is ranked first, 0 where it is not, between them where it
    ties; queries in order of first appearance. Args: as `evaluate_retrieval`; scores: [N].
    """
    labels = np.asarray(labels).astype(bool)
    return np.array([_found_at(scores[m], labels[m], 1, "average") for m in group_pairs(queries)])


def group_pairs(queries: Sequence[str]) -> list[np.ndarray]:
    """Pair numbers of each query, queries in order of first appearance, pairs in file order."""
    members: dict[str, list[int]] = {}
    for number, query in enumerate(queries):
        members.setdefault(query, []).append(number)
    return [np.array(numbers) for numbers in members.values()]


def _found_at(scores: np.ndarray, positive: np.ndarray, k: int, ties: str) -> float:
    """1 if a positive is among the first `k`, 0 if not; with ties, the probability over their
    orders.
    """
    if not positive.any():
        return 0.0
    if ties == "file_order":
        return float(positive[np.argsort(-scores, kind="stable")[:k]].any())
    best = scores[positive].max()
    above = int((scores > best).sum())
    level = int((scores == best).sum())
    winners = int((positive & (scores == best)).sum())
    places = min(max(k - above, 0), level)
    # The chance that none of the `winners` is among `places` drawn from `level` without putting
    # back.
    missed = 1.0
    for drawn in range(places):
        missed *= max(level - winners - drawn, 0) / (level - drawn)
    return 1.0 - missed


def area_under_curve(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve over all pairs (ties count half); nan if there is only one class."""
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2  # mean rank from 1 of each value
    return float(
        (middle[inverse][labels].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    )


def wilson_interval(hits: float, total: int, z: float = 1.959964) -> tuple[float, float]:
    """95% interval of a share from `hits` of `total` (Wilson 1927); sound near 0 and 1, unlike the
    normal one.
    """
    share = hits / total
    centre = share + z * z / (2 * total)
    spread = z * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return float(max((centre - spread) / scale, 0.0)), float(min((centre + spread) / scale, 1.0))
