"""BLEU-1 to 4, ROUGE-L and CIDEr of captions, on plain words: what COCO's evaluation computes
(`pycocoevalcap`), kept example by example, so that any set of examples can be judged.

E = examples, each a caption and one or more references, as lists of tokens
(`caption_tokenizers.py`). BLEU and ROUGE-L lie between 0 and 1, CIDEr between 0 and 10.
"""

import collections
import functools
from collections.abc import Sequence

import numpy as np

from kaleido_tf.errors import InputError

ORDERS = 4
"""Of n-grams."""
RECALL_WEIGHT = 1.2
"""ROUGE-L's beta."""
LENGTH_SPREAD = 6.0
"""CIDEr-D's sigma: captions of another length than their reference lose."""

Tokens = Sequence[str]


class CaptionScores:
    """Scores of E captions against their references.

    Args: captions: E lists of tokens. references: for each at least one list of tokens.
    Raises: InputError for captions without references, and references of no token.
    Attributes: rouge_l, cider: [E] float64. CIDEr weighs n-grams by how few of the E examples have
      them in a reference: one example alone has a CIDEr of 0.
    """

    def __init__(self, captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]):
        _check(captions, references)
        self._bleu = np.array([_bleu_counts(*pair) for pair in zip(captions, references)], float)
        self.rouge_l = np.array([_rouge_l(*pair) for pair in zip(captions, references)])
        self.cider = _cider(captions, references)

    def bleu(self, numbers: np.ndarray | None = None) -> list[float]:
        """BLEU-1 to 4 of a corpus of the examples with these numbers; None: of all."""
        counts = self._bleu if numbers is None else self._bleu[numbers]
        right, guessed = counts[:, :ORDERS].sum(0), counts[:, ORDERS : 2 * ORDERS].sum(0)
        length, wanted = counts[:, -2:].sum(0)
        if not length:
            return [0.0] * ORDERS
        precisions = np.divide(right, guessed, out=np.zeros(ORDERS), where=guessed > 0)
        with np.errstate(divide="ignore"):
            means = np.exp(np.cumsum(np.log(precisions)) / np.arange(1, ORDERS + 1))
        return (means * np.exp(min(0.0, 1 - wanted / length))).tolist()

    def figures(self, numbers: np.ndarray | None = None) -> dict[str, float]:
        """`bleu_1` to `bleu_4`, `rouge_l`, `cider`."""
        part = slice(None) if numbers is None else numbers
        bleu = {f"bleu_{order}": value for order, value in enumerate(self.bleu(numbers), start=1)}
        means = {name: float(getattr(self, name)[part].mean()) for name in ("rouge_l", "cider")}
        return {**bleu, **means}


def _check(captions, references) -> None:
    if not captions or len(captions) != len(references):
        raise InputError(
            f"Captions with their references are needed. Received: {len(captions)} captions,"
            f" references of {len(references)}"
        )
    for number, each in enumerate(references):
        if not each or not all(each):
            raise InputError(
                "Every caption needs references of at least one word. Received for number"
                f" {number}: {list(map(list, each))}"
            )


def _n_grams(tokens: Tokens, order: int) -> collections.Counter:
    return collections.Counter(zip(*(tokens[start:] for start in range(order))))


def _bleu_counts(caption: Tokens, references: Sequence[Tokens]) -> list[int]:
    """Right and guessed n-grams by order, the lengths of the caption and its nearest reference."""
    right = []
    for order in range(1, ORDERS + 1):
        most: collections.Counter = collections.Counter()
        for reference in references:
            most |= _n_grams(reference, order)
        right.append(sum((_n_grams(caption, order) & most).values()))
    length = len(caption)
    guessed = [max(0, length - order + 1) for order in range(1, ORDERS + 1)]
    nearest = min((abs(len(reference) - length), len(reference)) for reference in references)[1]
    return [*right, *guessed, length, nearest]


def _rouge_l(caption: Tokens, references: Sequence[Tokens]) -> float:
    """F-measure of the longest common subsequence: best precision and best recall over the
    references.
    """
    if not caption:
        return 0.0
    common = [_longest_common(caption, reference) for reference in references]
    precision = max(common) / len(caption)
    recall = max(length / len(reference) for length, reference in zip(common, references))
    if not precision:
        return 0.0
    weight = RECALL_WEIGHT**2
    return (1 + weight) * precision * recall / (recall + weight * precision)


def _longest_common(one: Tokens, other: Tokens) -> int:
    row = [0] * (len(other) + 1)
    for token in one:
        diagonal = 0
        for place, word in enumerate(other, start=1):
            diagonal, row[place] = (
                row[place],
                diagonal + 1 if token == word else max(row[place], row[place - 1]),
            )
    return row[-1]


def _cider(captions, references) -> np.ndarray:
    """[E]: CIDEr-D (Vedantam et al., 2015), the mean over n-gram orders of clipped cosines, times
    10.
    """
    documents: collections.Counter = collections.Counter()
    for each in references:
        documents.update({gram for reference in each for gram in _all_grams(tuple(reference))})
    weigh = _Weights(documents, len(captions))
    return np.array(
        [
            np.mean([weigh.similarity(caption, reference) for reference in each])
            for caption, each in zip(captions, references)
        ]
    )


@functools.lru_cache(maxsize=1 << 16)
def _all_grams(tokens: tuple[str, ...]) -> collections.Counter:
    total: collections.Counter = collections.Counter()
    for order in range(1, ORDERS + 1):
        total.update(_n_grams(tokens, order))
    return total


class _Weights:
    """The weights of n-grams: counts by how rare they are among the references."""

    def __init__(self, documents: collections.Counter, count: int):
        self._documents, self._log_count = documents, np.log(float(count))

    def _vectors(self, tokens: Tokens) -> list[dict]:
        """n-gram -> weight, by order."""
        vectors: list[dict] = [{} for _ in range(ORDERS)]
        for gram, times in _all_grams(tuple(tokens)).items():
            rarity = self._log_count - np.log(max(1.0, self._documents[gram]))
            vectors[len(gram) - 1][gram] = times * rarity
        return vectors

    def similarity(self, caption: Tokens, reference: Tokens) -> float:
        # The original measures a text by its pairs of words, one fewer than its words.
        lengths = [max(0, len(tokens) - 1) for tokens in (caption, reference)]
        likeness = np.exp(-((lengths[0] - lengths[1]) ** 2) / (2 * LENGTH_SPREAD**2))
        sides = zip(self._vectors(caption), self._vectors(reference))
        return 10 * likeness * np.mean([_clipped_cosine(*vectors) for vectors in sides])


def _clipped_cosine(caption: dict, reference: dict) -> float:
    product = sum(
        min(weight, reference.get(gram, 0.0)) * reference.get(gram, 0.0)
        for gram, weight in caption.items()
    )
    norms = [np.sqrt(sum(value**2 for value in side.values())) for side in (caption, reference)]
    return product / (norms[0] * norms[1]) if norms[0] and norms[1] else 0.0
