"""Photos of pixel records that a file names, in memory as their records hold them.

I = photos. They stay encoded, a tenth of their pixels or less, and are decoded when they are shown.
"""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from kaleido_tf.data.record_table import RecordTable, read_all_serialized
from kaleido_tf.errors import InputError
from kaleido_tf.records.photo import parse_photo


class NamedPhotos:
    """The photos of some names, each once, in the order of their records.

    Args: names: each of a photo (its image id), or of a product that has one photo. where: what the
      user calls the records, for messages.
    Raises: InputError for names that are neither, naming the first and how many.

    Attributes: numbers: name -> its photo, 0 to I - 1. image_ids: [I] str. side: pixels a side.
      contents: as of the table.
    """

    def __init__(self, table: RecordTable, names: Iterable[str], where: str):
        records = _records_of(table, dict.fromkeys(names), where)
        kept = np.unique(list(records.values()))
        self.numbers = {
            name: int(np.searchsorted(kept, record)) for name, record in records.items()
        }
        self.image_ids = table.image_ids[kept]
        self.side, self.contents = table.size, table.contents
        self._serialized = read_all_serialized(table, kept)

    def __len__(self) -> int:
        return len(self._serialized)

    def numbers_of(self, names: Iterable[str]) -> np.ndarray:
        """[n] int32 of names that are known."""
        return np.array([self.numbers[name] for name in names], np.int32)

    def reader(self):
        """A function of a photo's number that gives its pixels [side, side, 3] uint8."""
        serialized = tf.constant(self._serialized)
        return lambda number: parse_photo(tf.gather(serialized, number), self.side)


def _records_of(table: RecordTable, names: Iterable[str], where: str) -> dict[str, int]:
    """Name -> the record that shows it as it is."""
    by_image = {image: views[0] for image, views in table.records_of_photos().items()}
    by_product: dict[str, set[str]] = {}
    for product, image in zip(table.product_ids, table.image_ids):
        by_product.setdefault(product, set()).add(image)
    found, missing = {}, []
    for name in names:
        images = {name} if name in by_image else by_product.get(name, set())
        if len(images) == 1:
            found[name] = by_image[next(iter(images))]
        else:
            missing.append(name)
    if missing:
        several = len(by_product.get(missing[0], ()))
        why = f", a product of {several} photos: name one of them" if several else ""
        raise InputError(
            "Every photo that the triplets or outfits name is needed, by its image id or by that of"
            f" a product with one photo. Not found in {where}: {missing[0]}{why} ({len(missing)} of"
            f" {len(missing) + len(found)})"
        )
    return found
