"""What a search is asked, and what it answers: the same for the command line, the page and its JSON
endpoint.

H, W = size of a photo in pixels.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from kaleido_tf.errors import InputError

TEXT, RERANKED = "text", "reranked"
"""Ways of asking that have probabilities of their own: by words, and by words with the best scored
again.
"""
TOP = 12
"""Products that are found where nothing is said of how many."""


@dataclasses.dataclass(frozen=True)
class Query:
    """What is sought: `text` (words), `photo` ([H, W, 3] uint8 RGB), or both, or, alone, `like`
    (the id of a product of the index, whose likes are sought).

    Attributes: filter: as `search.filters` reads it; None: none. top: products at most; None: as
      many as the index has, up to `TOP`. rerank: how many of the best the whole model scores again;
      0: none. min_probability: below which a product is no answer.
    """

    text: str | None = None
    photo: np.ndarray | None = None
    like: str | None = None
    filter: str | None = None
    top: int | None = None
    rerank: int = 0
    min_probability: float = 0.0

    def check(self) -> None:
        """Raises: InputError for what no index can answer."""
        asked = [name for name in ("text", "photo", "like") if getattr(self, name) is not None]
        if not asked or ("like" in asked and len(asked) > 1):
            raise InputError(
                "Words, a photo, or both, or alone a product whose likes are sought, are needed."
                f" Received: {' and '.join(asked) or 'none of them'}"
            )
        if self.text is not None:
            check_words(self.text)
        self._check_counts()
        if not 0 <= self.min_probability <= 1:
            raise InputError(
                f"A lowest probability between 0 and 1 is needed. Received: {self.min_probability}"
            )

    def _check_counts(self) -> None:
        if self.top is not None and self.top < 1:
            raise InputError(f"At least one product must be asked for. Received: {self.top}")
        if self.rerank and self.like is not None:
            raise InputError(
                "Scoring again is for words and photos. Received: a product whose likes are sought"
            )
        if self.rerank < 0 or 0 < self.rerank < (self.top or 1):
            raise InputError(
                "At least as many products must be scored again as are asked for"
                f" ({self.top or 1}), or none. Received: {self.rerank}"
            )


def check_words(text: str) -> None:
    """Raises: InputError for a text without any."""
    if not text.strip():
        raise InputError("Words are needed. Received: an empty text")


@dataclasses.dataclass(frozen=True)
class Found:
    """A product that was found, by the best of its photos.

    Attributes: image_id: that photo's. fields: of the product (title, text, category, ...). score:
      the larger the better, of one query comparable with each other. probability: that the words
      asked are this product's; None where the index has no calibration for this way of asking.
    """

    product_id: str
    image_id: str
    fields: Mapping[str, object]
    score: float
    probability: float | None = None
