"""Products that lie in two splits under two ids: trained on, then evaluated, so that figures look
better than they are.
"""

import collections
import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

from data_prep.catalogue.products import Product
from kaleido_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Duplicate:
    """Two products of one text and at least one photo in common, byte for byte; `first` comes
    first in the catalogue.
    """

    first: Product
    second: Product

    def __str__(self) -> str:
        return (
            f"{self.second.product_id} ({self.second.split}) is {self.first.product_id}"
            f" ({self.first.split})"
        )


def duplicates_across_splits(products: Iterable[Product]) -> list[Duplicate]:
    """Each product that is another split's as well, with the first such one before it.

    Only photos of products whose texts stand in several splits are read, and none is decoded. A
    photo that cannot be read, or without stored bytes, is like no other.
    """
    by_text: dict[tuple[str, str], list[Product]] = collections.defaultdict(list)
    for product in products:
        by_text[product.title, product.description].append(product)
    return [
        duplicate
        for group in by_text.values()
        if len({product.split for product in group}) > 1
        for duplicate in _among(group)
    ]


def _among(group: Sequence[Product]) -> list[Duplicate]:
    owners: dict[bytes, list[Product]] = collections.defaultdict(list)
    duplicates = []
    for product in group:
        digests = _photo_digests(product)
        others = [p for digest in digests for p in owners[digest] if p.split != product.split]
        if others:
            duplicates.append(Duplicate(others[0], product))
        for digest in digests:
            owners[digest].append(product)
    return duplicates


def _photo_digests(product: Product) -> set[bytes]:
    digests = set()
    for image in product.images:
        try:
            content = image.content()
        except (InputError, OSError):  # told when it is loaded
            content = b""
        if content:
            digests.add(hashlib.sha256(content).digest())
    return digests


def in_words(duplicates: Sequence[Duplicate]) -> str:
    """One line for people, with the first few; empty without any."""
    if not duplicates:
        return ""
    first = ", ".join(map(str, duplicates[:3])) + (", ..." if len(duplicates) > 3 else "")
    return (
        f"{len(duplicates)} products lie in two splits under two ids, with the same text and the"
        f" same photo: {first}. What is trained on makes evaluation too easy"
    )
