"""Figures of outfit completion: which item is missing, which answer fits, what goes together.

I = items (photos), Q = questions, F = size of a vector. Figures are fractions of 0 to 1.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kaleido_tf.evaluation.embedding_recall import CATEGORY_RANKS, Vectors, composed_places
from kaleido_tf.evaluation.outfit_metrics import compatibility_auc, fill_in_the_blank_accuracy
from kaleido_tf.evaluation.verdict import Verdict, compare

RANKS = (1, *CATEGORY_RANKS)


@dataclasses.dataclass(frozen=True)
class Question:
    """Items that are there and the one that is looked for, as numbers of items.

    answers: what it is chosen from; () where all of its category are searched. is_query: False
    where the row gives its blank to the gallery alone.
    """

    items: tuple[int, ...]
    blank: int
    is_query: bool = True
    answers: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class OutfitTest:
    """What outfits are asked. Attributes: categories: [I] int. questions: searched in whole
    categories. choices: with answers. judged: ([n] bool whether people put it together, the n
    outfits); each empty where there is none.
    """

    categories: np.ndarray
    questions: Sequence[Question]
    choices: Sequence[Question] = ()
    judged: tuple[np.ndarray, Sequence[Sequence[int]]] = (np.zeros(0, bool), ())


@dataclasses.dataclass(frozen=True)
class ItemVectors:
    """One way to see items. Attributes: answers: [I, F] of what may be found. ask: (items [n],
    wanted categories [n]) -> [n, F] of what is there, where such a category is looked for.
    """

    answers: np.ndarray
    ask: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def means(self, pairs: Sequence[tuple[Sequence[int], int]]) -> np.ndarray:
        """[n, F], the mean question of n pairs of items and a wanted category."""
        sizes = np.array([len(items) for items, _ in pairs])
        items = np.concatenate([items for items, _ in pairs]).astype(int)
        wanted = np.repeat([category for _, category in pairs], sizes)
        sums = np.add.reduceat(self.ask(items, wanted), np.cumsum(sizes) - sizes, axis=0)
        return sums / sizes[:, None]


def same_for_all(vectors: np.ndarray) -> ItemVectors:
    """Items by vectors [I, F] that know of no categories."""
    return ItemVectors(vectors, lambda items, wanted: vectors[items])


@dataclasses.dataclass(frozen=True)
class Found:
    """What one way to see items finds.

    Attributes: figures: `r@1`, `r@10`, `r@30`, `r@50`, each the mean over the categories that are
      asked for of the queries that find their blank among so many of its category; `avg`, the mean
      of the last three as in the release; `fill_in_blank`, `compatibility_auc` where such are
      asked. firsts: [Q] bool, which queries find theirs first. chosen: [choices] bool, right ones.
    """

    figures: Mapping[str, float]
    firsts: np.ndarray
    chosen: np.ndarray


def find(test: OutfitTest, vectors: ItemVectors) -> Found:
    """Raises: InputError as `composed_places`, for NaN, or without any query."""
    categories = test.categories
    wanted = [(q.items, categories[q.blank]) for q in test.questions]
    blanks = np.array([q.blank for q in test.questions])
    are_queries = np.array([q.is_query for q in test.questions])
    of_groups = composed_places(
        Vectors(vectors.means(wanted), blanks),
        Vectors(vectors.answers[blanks], blanks),
        are_queries,
        categories[blanks].astype(str),
        None,
    )
    places = [group for _, group in of_groups.values()]
    figures = {f"r@{k}": float(np.mean([p.found(k).mean() for p in places])) for k in RANKS}
    figures["avg"] = float(np.mean([figures[f"r@{k}"] for k in CATEGORY_RANKS]))
    firsts = np.zeros(len(blanks))
    for rows, of_group in of_groups.values():
        firsts[rows] = of_group.found(1)
    chosen = np.zeros(0)
    if test.choices:
        scores = choice_scores(test, vectors)
        right = np.array([q.answers.index(q.blank) for q in test.choices])
        figures["fill_in_blank"] = fill_in_the_blank_accuracy(scores, right)
        best = scores == scores.max(axis=1, keepdims=True)
        chosen = best[np.arange(len(right)), right] / best.sum(axis=1)
    labels, outfits = test.judged
    if len(outfits):
        figures["compatibility_auc"] = compatibility_auc(labels, togetherness(test, vectors))
    return Found(figures, firsts[are_queries], chosen)


def choice_scores(test: OutfitTest, vectors: ItemVectors) -> np.ndarray:
    """[choices, A]: how well each answer goes with the items that are there."""
    pairs = [(q.items, test.categories[a]) for q in test.choices for a in q.answers]
    answers = np.array([a for q in test.choices for a in q.answers])
    scores = np.sum(vectors.means(pairs) * vectors.answers[answers], axis=1)
    return scores.reshape(len(test.choices), -1)


def togetherness(test: OutfitTest, vectors: ItemVectors) -> np.ndarray:
    """[outfits]: the mean over all ordered pairs of how well the second goes with the first."""
    scores = []
    for outfit in test.judged[1]:
        first, second = np.array(list(itertools.permutations(outfit, 2))).T
        asked = vectors.ask(first, test.categories[second])
        scores.append(np.sum(asked * vectors.answers[second], axis=1).mean())
    return np.array(scores)


def verdicts(test: OutfitTest, baseline: Found, model: Found) -> list[Verdict]:
    """On what is found first, and on the choice of an answer where there is one. Questions about
    one blank are drawn together.
    """
    asked = [str(q.blank) for q in test.questions if q.is_query]
    found = [_verdict("R@1, of all queries", baseline.firsts, model.firsts, asked)]
    if test.choices:
        blanks = [str(q.blank) for q in test.choices]
        found.append(_verdict("fill in the blank", baseline.chosen, model.chosen, blanks))
    return found


def _verdict(title, before, after, names):
    return compare(title, lambda n: before[n].mean(), lambda n: after[n].mean(), names)


def line_of(name: str, found: Found) -> str:
    """One line of figures."""
    values = ", ".join(f"{key} {value:.4f}" for key, value in found.figures.items())
    return f"{name}: {values}"
