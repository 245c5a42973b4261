"""The photos of some records and the texts of their products as vectors, each side the gallery of
the other.

D = size of a vector, N = items of a gallery.
"""

import dataclasses
from collections.abc import Collection, Iterator

import numpy as np

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.vectors import Vectors, mean_of_views
from kaleido_tf.records.dataset_json import shares_photos
from kaleido_tf.records.photo import parse_photo
from kaleido_tf.records.shards import read_shard
from kaleido_tf.records.shared_photos import open_shards
from kaleido_tf.search.gallery_recall import Side

BLOCK = 256
"""Queries whose scores are in memory at once."""


@dataclasses.dataclass(frozen=True)
class Gallery:
    """The two sides of some records.

    Attributes: records: of photos (their plain view) and of products' texts, each [n] rows of the
      table. sides: products and texts of both. kinds: [n] int sub-categories of both. vectors: [n,
      D] of both. hubness: [n] of both, or None. asking: of each side, the items that are queries.
    """

    records: dict[str, np.ndarray]
    sides: dict[str, Side]
    kinds: dict[str, np.ndarray]
    vectors: dict[str, np.ndarray]
    hubness: dict[str, np.ndarray] | None
    asking: dict[str, np.ndarray]

    def asked_by(self, products: Collection[str]) -> "Gallery":
        """The same in which only these products ask. Raises: InputError for one that it lacks."""
        missing = set(products) - set(self.sides["texts"].products)
        if missing:
            raise InputError(
                f"--queries: products of --predict_input_fp are needed. Received: {min(missing)}"
                f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}"
            )
        asking = {
            name: np.flatnonzero(np.isin(side.products.astype(str), list(products)))
            for name, side in self.sides.items()
        }
        return dataclasses.replace(self, asking=asking)

    def queries(self, direction: str) -> Side:
        """The items that ask in a direction."""
        name = sides_of(direction)[0]
        side, rows = self.sides[name], self.asking[name]
        return Side(side.products[rows], side.texts[rows])

    def found(self, direction: str) -> Side:
        """The items among which is sought in a direction."""
        return self.sides[sides_of(direction)[1]]

    def kinds_of(self, direction: str) -> tuple[np.ndarray, np.ndarray]:
        """Of the items that ask in a direction, and of those among which is sought."""
        asked, found = sides_of(direction)
        return self.kinds[asked][self.asking[asked]], self.kinds[found]

    def scores(self, direction: str, corrected: bool) -> Iterator[np.ndarray]:
        """Blocks [q, N] of the queries of a direction, in order."""
        asked, found = sides_of(direction)
        queries = self.vectors[asked][self.asking[asked]]
        for start in range(0, len(queries), BLOCK):
            cosines = queries[start : start + BLOCK] @ self.vectors[found].T
            yield 2 * cosines - self.hubness[found] if corrected else cosines


def sides_of(direction: str) -> tuple[str, str]:
    """Which side asks in a direction, and which is the gallery."""
    return ("photos", "texts") if direction == "img2txt" else ("texts", "photos")


def gallery_of(model, table: RecordTable) -> Gallery:
    """Embeds both sides. Args: model: with its weights. table: of the records."""
    vectors = Vectors(model)
    _, of_texts = np.unique(table.product_ids.astype(str), return_index=True)
    photos = list(table.records_of_photos().values())
    records = {"photos": np.array([views[0] for views in photos]), "texts": of_texts}
    texts, whole = table.texts[of_texts], table.whole_texts.astype(str)
    found = {
        "photos": mean_of_views(_photo_vectors(vectors, table), photos),
        "texts": vectors.of_texts(table.sequences[texts], table.lengths[texts]),
    }
    hubness = {"photos": vectors.hubness_of_photos, "texts": vectors.hubness_of_texts}
    return Gallery(
        records,
        {name: Side(table.product_ids[part], whole[part]) for name, part in records.items()},
        {name: table.subcategories[part] for name, part in records.items()},
        found,
        {name: of(found[name]) for name, of in hubness.items()} if vectors.corrects_hubs else None,
        {name: np.arange(len(part)) for name, part in records.items()},
    )


def _photo_vectors(vectors: Vectors, table: RecordTable) -> np.ndarray:
    """[records, D], a shard at a time."""
    parts = []
    read = _read_photos if table.layout.holds_pixels else _read_patches
    for path in table.files:
        images = read(path, table.size)
        if images:
            parts.append(vectors.of_photos(*images))
    return np.concatenate(parts)


def _read_patches(path, size) -> tuple[np.ndarray, ...]:
    """Features and boxes of a shard, as a model's `image_inputs` takes them; () of an empty one."""
    del size
    shard = read_shard(path)
    if not shard:
        return ()
    features = np.stack([record.block("patch_features") for record in shard])
    return features, np.stack([record.boxes for record in shard])


def _read_photos(path, size) -> tuple[np.ndarray, ...]:
    """As `_read_patches`, the pixels."""
    records = open_shards(path, shares_photos([path]))
    photos = records.map(lambda record: parse_photo(record, size))
    photos = list(photos.as_numpy_iterator())
    return (np.stack(photos),) if photos else ()
