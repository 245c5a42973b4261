"""Search in plain words without any model, the yardstick of one: Okapi BM25 (Robertson and others,
1994) of a query's words against product texts.

    rows, scores = TextSearch(texts).search("red dress with buttons", k)

texts N str -> rows [k'] int64, scores [k'] float32, the best first; k' is k, or the number of texts
that have a word of the query, if these are fewer. Among equal scores the first text comes first.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.caption_tokenizers import words
from kaleido_tf.search.ranking import best_products

K1, B = 1.2, 0.75


class TextSearch:
    """Args: texts: e.g. title and description of each product. tokenize: text -> words."""

    def __init__(self, texts: Iterable[str], tokenize: Callable[[str], Sequence[str]] = words):
        self._tokenize = tokenize
        postings: dict[str, tuple[list[int], list[int]]] = {}
        lengths = []
        for row, text in enumerate(texts):
            said = tokenize(text)
            lengths.append(len(said))
            for word, count in Counter(said).items():
                rows, counts = postings.setdefault(word, ([], []))
                rows.append(row)
                counts.append(count)
        if not lengths:
            raise InputError("At least one text to search in is needed. Received: none")
        lengths = np.array(lengths, np.float64)
        self._norms = K1 * (1 - B + B * lengths / max(lengths.mean(), 1e-9))
        self._postings = {
            word: (np.array(rows, np.int32), np.array(counts, np.int32))
            for word, (rows, counts) in postings.items()
        }

    def scores(self, query: str) -> np.ndarray:
        """[N] float32: the sum over the query's words, a repeated one as often, of

            log(1 + (N - n + 1/2) / (n + 1/2)) * f * (k1 + 1) / (f + k1 * (1 - b + b * length))

        f = how often the text has the word, n = texts that have it, length = words of the text over
        the mean of all. The 1 in the logarithm keeps words of most texts from counting against one.
        """
        total = np.zeros(len(self._norms))
        for word, times in Counter(self._tokenize(query)).items():
            rows, counts = self._postings.get(word, (np.array([], np.int32),) * 2)
            rarity = np.log1p((len(total) - len(rows) + 0.5) / (len(rows) + 0.5))
            total[rows] += times * rarity * counts * (K1 + 1) / (counts + self._norms[rows])
        return total.astype(np.float32)

    def search(
        self, query: str, k: int, mask: np.ndarray | None = None, products: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """See the module. Args: mask: [N] bool, texts that may be found. products: [N] int; of
        texts with the same number only the best is found.

        Raises: InputError for a k that is below 1 or above N.
        """
        scores = self.scores(query)
        if not 1 <= k <= len(scores):
            raise InputError(f"1 to {len(scores)} texts can be asked for. Received: {k}")
        found = scores > 0 if mask is None else (scores > 0) & mask
        rows = np.flatnonzero(found)
        groups = np.arange(len(scores)) if products is None else products
        return best_products(rows, scores[rows], groups, min(k, len(np.unique(groups[rows]))))
