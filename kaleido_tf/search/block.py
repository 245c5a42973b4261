"""What goes into an index at once: some photos, the fields of their products and their vectors.

n = photos of the block, D = size of a vector.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence

import numpy as np

from kaleido_tf.errors import InputError

OWN = ("product_id", "image_id")
"""What every item has; no field may be called so."""
UNIT = 1e-3
"""How far the length of a vector may be from 1; float16 rounds it by half of that at most."""


@dataclasses.dataclass(frozen=True)
class Block:
    """`product_ids`, `image_ids` [n] str; `fields` [n] mappings of what filters and results show
    (values: texts, numbers, true or false, None, or lists of these); `vectors` [n, D] of length 1;
    `hubness` [n], what is subtracted from twice the cosine, for an index that is corrected for
    hubs.
    """

    product_ids: Sequence[str]
    image_ids: Sequence[str]
    fields: Sequence[Mapping]
    vectors: np.ndarray
    hubness: np.ndarray | None = None


def check_block(block: Block, dimension: int, corrected: bool) -> None:
    """Raises: InputError, with the product where it is one's, unless the block can stand in an
    index of this dimension, with hubness if it is corrected and without if not.
    """
    lengths = {
        "product_ids": len(block.product_ids),
        "image_ids": len(block.image_ids),
        "fields": len(block.fields),
        "vectors": len(block.vectors),
        "hubness": len(block.product_ids) if block.hubness is None else len(block.hubness),
    }
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{count} {name}" for name, count in lengths.items())
        raise InputError(f"A block needs as many of each. Received: {found}")
    if corrected != (block.hubness is not None):
        needed, given = ("with", "without") if corrected else ("without", "with")
        raise InputError(f"This index needs blocks {needed} hubness. Received: one {given} it")
    places = [f"product {product}" for product in block.product_ids]
    check_vectors(block.vectors, dimension, places)
    if corrected and not np.isfinite(block.hubness).all():
        place = places[int(np.argmin(np.isfinite(block.hubness)))]
        raise InputError(f"Hubness must be a finite number. Received: NaN or infinity of {place}")


def check_vectors(vectors: np.ndarray, dimension: int, places: Sequence[str] | None = None) -> None:
    """Raises: InputError unless `vectors` are [n, dimension] finite numbers of length 1.

    Args: places: [n] whose each is, for messages; None: queries by number.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise InputError(
            f"Vectors of shape [n, {dimension}] are needed, as in the index. Received:"
            f" {list(vectors.shape)}"
        )
    squares = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    lengths = np.sqrt(squares)  # NaN of a vector with any, and then not near 1
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= UNIT))
    if not len(wrong):
        return
    first = int(wrong[0])
    place = places[first] if places is not None else f"query {first + 1}"
    given = f"length {lengths[first]:.4g}" if np.isfinite(lengths[first]) else "NaN or infinity"
    raise InputError(
        f"Vectors of length 1 are needed. Received: {given} ({place}; {len(wrong)} of"
        f" {len(vectors)} are wrong)"
    )


def item_lines(block: Block) -> list[bytes]:
    """[n] a line of JSON an item, with its end. Raises: InputError naming the product whose ids or
    fields cannot be one.
    """
    return [
        _line(product, image, fields)
        for product, image, fields in zip(block.product_ids, block.image_ids, block.fields)
    ]


def _line(product: str, image: str, fields: Mapping) -> bytes:
    for name, value in (("product_id", product), ("image_id", image)):
        if not isinstance(value, str) or not value:
            raise InputError(f"{name} must be a text. Received: {value!r} (product {product!r})")
    for name, value in fields.items():
        values = value if isinstance(value, list | tuple) else [value]
        if not isinstance(name, str) or not name or name in OWN or not all(map(_is_plain, values)):
            raise InputError(
                "Fields must be texts, finite numbers, true or false, null, or lists of these, and"
                f" not be called {' or '.join(OWN)}. Received: {name!r} = {value!r} (product"
                f" {product})"
            )
    try:
        content = {"product_id": product, "image_id": image, **fields}
        return (json.dumps(content, ensure_ascii=False) + "\n").encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"Product {product!r} holds a text that is no Unicode: {error}") from error


def _is_plain(value) -> bool:
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return value is None or isinstance(value, str) or is_number
