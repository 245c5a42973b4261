"""Nearest neighbours, the yardstick of a run that trains: what the backbone's features and the
words of the texts give without any training.

N = training examples, Q = queries, D = size of a vector, k = neighbours, C = classes. Vectors have
length 1, so that their product is a cosine; where photos and texts are both looked at, the cosines
are added up (`side_by_side`).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from kaleido_tf.evaluation.classification import macro_f1

COUNTS = (1, 3, 5, 10, 20)
SHARPNESS = (0.0, 10.0)
"""A neighbour votes with exp(sharpness * cosine): all alike, or the near ones more."""
HELD_OUT = 0.2
BLOCK = 512
"""Queries that are compared at once."""


@dataclasses.dataclass(frozen=True)
class Vote:
    """How neighbours vote: how many of them, and how much more the near ones count."""

    neighbours: int
    sharpness: float

    def __str__(self):
        weighed = "the near ones more" if self.sharpness else "all alike"
        return f"{self.neighbours} nearest, {weighed}"


def image_vectors(training: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N, D], [Q, D] float32 from features of the same shapes, each brought to mean 0 and spread 1
    over the training examples.
    """
    training, others = np.asarray(training, np.float32), np.asarray(others, np.float32)
    mean, spread = training.mean(0), np.maximum(training.std(0), 1e-2)
    return _unit((training - mean) / spread), _unit((others - mean) / spread)


def text_vectors(
    training: np.ndarray, others: np.ndarray, vocab_size: int, ignored: Sequence[int] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """[N, D], [Q, D] float32: log counts of word pieces by how rare they are; of the D pieces that
    at least two training texts hold.

    Args: training, others: [N, S], [Q, S] token ids. ignored: ids that are no words.
    """
    texts = np.zeros(vocab_size, np.int64)
    for ids in training:
        texts[np.unique(ids)] += 1
    texts[list(ignored)] = 0
    kept = np.flatnonzero(texts > 1)
    rarity = (np.log((1 + len(training)) / (1 + texts[kept])) + 1).astype(np.float32)
    places = np.full(vocab_size, -1)
    places[kept] = np.arange(len(kept))
    return tuple(_unit(np.log1p(_counts(ids, places)) * rarity) for ids in (training, others))


def _counts(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    counts = np.zeros([len(rows), places.max() + 1], np.float32)
    columns = places[rows]
    numbers = np.broadcast_to(np.arange(len(rows))[:, None], columns.shape)
    np.add.at(counts, (numbers[columns >= 0], columns[columns >= 0]), 1)
    return counts


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def side_by_side(parts: Sequence[np.ndarray]) -> np.ndarray:
    """[N, D1], [N, D2], ... to vectors whose products are the sums of the parts' products."""
    return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def nearest(training: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """([Q, k] int numbers of the nearest training examples, nearest first, [Q, k] their cosines);
    among equals the earlier one. Where there are fewer than k examples, all.
    """
    k = min(k, len(training))
    numbers, values = np.empty([len(queries), k], np.int64), np.empty([len(queries), k], np.float32)
    for start in range(0, len(queries), BLOCK):
        part = slice(start, start + BLOCK)
        cosines = queries[part] @ training.T
        # A sum over a part of the queries rounds otherwise than one over all.
        order = np.argsort(-cosines.round(5), axis=1, kind="stable")[:, :k]
        numbers[part], values[part] = order, np.take_along_axis(cosines, order, axis=1)
    return numbers, values


def voted(
    numbers: np.ndarray, cosines: np.ndarray, labels: np.ndarray, num_classes: int, vote: Vote
) -> np.ndarray:
    """[Q] int: the class that the neighbours ([Q, >= k] as `nearest`) vote for; among equals the
    first one.
    """
    votes = np.zeros([len(numbers), num_classes])
    for place in range(min(vote.neighbours, numbers.shape[1])):
        weight = np.exp(vote.sharpness * cosines[:, place])
        np.add.at(votes, (np.arange(len(numbers)), labels[numbers[:, place]]), weight)
    return votes.argmax(axis=1)


def choose_vote(
    vectors: np.ndarray, labels: np.ndarray, products: Sequence[str], num_classes: int, seed: int
) -> Vote:
    """The vote with the best macro-F1 on a part of the training examples, whole products, that is
    held out from their other neighbours; among equals the first one.
    """
    held = held_out_products(products, HELD_OUT, seed)
    if held.all() or not held.any():
        return Vote(COUNTS[0], SHARPNESS[0])
    found = nearest(vectors[~held], vectors[held], max(COUNTS))
    votes = [Vote(count, sharpness) for count in COUNTS for sharpness in SHARPNESS]
    scores = [
        macro_f1(labels[held], voted(*found, labels[~held], num_classes, vote), num_classes)
        for vote in votes
    ]
    return votes[int(np.argmax(scores))]


def held_out_products(products: Sequence[str], share: float, seed: int) -> np.ndarray:
    """[N] bool: the examples of about `share` of the products."""
    names = np.unique(np.asarray(products, str))
    drawn = np.random.default_rng(seed).permutation(names)[: int(len(names) * share)]
    return np.isin(np.asarray(products, str), drawn)
