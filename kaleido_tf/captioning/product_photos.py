"""The photos of products, read from records product by product.

N = records, A = photos of a product, P = patches, F = feature size.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from kaleido_tf.captioning.caption_config import ALL
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.records.shared_photos import open_shards


@dataclasses.dataclass(frozen=True)
class ProductPhotos:
    """Products of records, in the order of their first photos.

    Attributes: product_ids: of each. records: of each, the numbers of its photos in the table.
    """

    table: RecordTable
    product_ids: tuple[str, ...]
    records: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.records)

    def batches(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """`size` products at a time, the last may be fewer: features [n, A, P, F] float32, boxes
        [n, A, P, 5] int32, mask [n, A] int32 (0 where a product has fewer photos).
        """
        waiting: list = []
        for photos in self._in_order():
            waiting.append(photos)
            if len(waiting) == size:
                yield _padded(waiting)
                waiting = []
        if waiting:
            yield _padded(waiting)

    def _in_order(self) -> Iterator[list]:
        """Of each product the features and boxes of its photos; the records are read once, one
        after the other.
        """
        owners = {number: row for row, numbers in enumerate(self.records) for number in numbers}
        found: dict[int, list] = {}
        following = 0
        for number, image in enumerate(_read(self.table)):
            if number in owners:
                found.setdefault(owners[number], []).append(image)
            while following in found and len(found[following]) == len(self.records[following]):
                yield found.pop(following)
                following += 1


def products_of(table: RecordTable, photos: str) -> ProductPhotos:
    """The products of a table. Args: photos: `all` of a product's, or its `first` alone."""
    records: dict[str, list[int]] = {}
    for number, *_ in table.records_of_photos().values():  # each photo once, whatever its views
        records.setdefault(table.product_ids[number], []).append(number)
    kept = (numbers if photos == ALL else numbers[:1] for numbers in records.values())
    return ProductPhotos(table, tuple(records), tuple(map(tuple, kept)))


def _read(table: RecordTable):
    def parse(serialized):
        record = table.parse(serialized)
        return record["patch_features"], record["patch_boxes"]

    dataset = open_shards(list(table.files), table.shares_photos)
    return dataset.map(parse, tf.data.AUTOTUNE, deterministic=True).prefetch(64).as_numpy_iterator()


def _padded(products: list[list]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    most = max(map(len, products))
    features, boxes = (
        np.zeros([len(products), most, *part.shape], part.dtype) for part in products[0][0]
    )
    mask = np.zeros([len(products), most], np.int32)
    for row, photos in enumerate(products):
        mask[row, : len(photos)] = 1
        for place, (of_photo, boxes_of_photo) in enumerate(photos):
            features[row, place], boxes[row, place] = of_photo, boxes_of_photo
    return features.astype(np.float32), boxes.astype(np.int32), mask
