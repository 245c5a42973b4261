"""The fields of products that a catalogue's products.jsonl says beside those of its records."""

import json
import os

from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines

RECORDED = (
    "product_id",
    "image_id",
    "image",
    "images",
    "split",
    "title",
    "description",
    "category",
    "subcategory",
)
"""What the records know themselves, the names of photos, and what is no property of a product."""
TAKEN = ("id", "vector", "hubness")
"""Columns of embeddings.parquet."""
LARGEST = 2**53
"""Whole numbers that a float holds, too."""


def read_plain_fields(path: str | os.PathLike) -> dict[str, dict]:
    """Product id -> its fields that are texts, numbers, true or false, or lists of texts.

    Raises: InputError for a file that is not there, or a line that is no product.
    """
    fields: dict[str, dict] = {}
    for number, line in enumerate(read_lines(path), start=1):
        try:
            product = json.loads(line)
            fields[str(product["product_id"])] = {
                name: value
                for name, value in product.items()
                if name not in RECORDED and _is_plain(value)
            }
            taken = fields[str(product["product_id"])].keys() & {*TAKEN}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{path} line {number}: a product with a `product_id` is needed. Received:"
                f" {line[:60]!r}"
            ) from error
        if taken:
            raise InputError(
                f"{path} line {number}: a field of another name than {', '.join(TAKEN)} is needed."
                f" Received: {sorted(taken)[0]}"
            )
    return fields


def _is_plain(value) -> bool:
    parts = value if isinstance(value, list) else [value]
    return all(
        isinstance(part, str)
        and _is_unicode(part)
        or isinstance(part, int | float)
        and abs(part) <= LARGEST  # nor NaN
        for part in parts
    )


def _is_unicode(text: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)
