"""What a search is asked, and what it answers: the same for the command line, the page and its JSON
endpoint.

H, W = size of a photo in pixels.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np


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


TOP = 12


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
