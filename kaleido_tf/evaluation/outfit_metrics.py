"""Figures of outfits (Han et al. 2017; Vasileva et al. 2018). Fractions of 0 to 1.

N = items, D = size of a vector, Q = questions, A = answers each (4 in both papers).
"""

import itertools
from collections.abc import Sequence

import numpy as np

from kaleido_tf.evaluation.rank_metrics import area_under_curve


def outfit_scores(vectors: np.ndarray, outfits: Sequence[Sequence[int]]) -> np.ndarray:
    """[outfits] float: how well the items of each go together, the mean of the dot products of all
    pairs (Vasileva et al., section 4.1, with one space for all pairs).

    Args: vectors: [N, D]. outfits: rows of `vectors`, two or more each.
    Raises: ValueError for an outfit of fewer than two items.
    """
    scores = np.empty(len(outfits))
    for number, items in enumerate(outfits):
        if len(items) < 2:
            raise ValueError(f"An outfit has at least two items. Received: {list(items)}")
        pairs = np.array(list(itertools.combinations(items, 2)))
        scores[number] = np.sum(vectors[pairs[:, 0]] * vectors[pairs[:, 1]], axis=1).mean()
    return scores


def fill_in_the_blank_accuracy(scores: np.ndarray, right: np.ndarray) -> float:
    """How often the right answer has the highest score; chance is 1 / A.

    Args: scores: [Q, A] of the outfit with each answer in its blank. right: [Q] int, the place of
      the right answer. An answer that shares the highest score with m others counts 1 / (1 + m).
    """
    best = scores == scores.max(axis=1, keepdims=True)
    found = np.take_along_axis(best, np.asarray(right)[:, None], axis=1)[:, 0]
    return float(np.mean(found / best.sum(axis=1)))


def compatibility_auc(are_outfits: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: how often an outfit that people put together scores above one that
    was put together by chance (ties count half); nan without one of both.

    Args: are_outfits: [n] bool. scores: [n].
    """
    return area_under_curve(np.asarray(are_outfits, bool), np.asarray(scores))
