"""What each shard is made of: the texts, classes and photos of its records, as one digest a shard.

A shard whose digest is the same as before holds what a new one would; so a second start sees a
photo that changed, was corrected or added, whatever its name and size.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence

from data_prep.catalogue.products import Catalogue, ProductImage
from data_prep.foreground.product_crops import MaskFolderCrops, ProductCrops
from data_prep.record_writing.record_settings import Item
from kaleido_tf.errors import InputError

_CHUNK = 1 << 20  # bytes read at once
_UNREADABLE = "unreadable"
"""Stands for the digest of a photo that is missing or cannot be read, and differs from that of the
mended one.
"""


def shard_sources(
    shards: Sequence[list[Item]], catalogue: Catalogue, crops: ProductCrops
) -> list[str]:
    """sha256 (hex) of each shard, over all that goes into its records beside the settings, which
    are the same for all.

    Every photo is read once, without decoding it where it is a file.
    """
    categories = {name: number for number, name in enumerate(catalogue.category_names)}
    subcategories = {pair: number for number, pair in enumerate(catalogue.subcategories)}

    def row(item: Item) -> list:
        product = item.product
        return [
            product.product_id,
            item.image.image_id,
            item.text,
            product.title,
            categories[product.category],
            subcategories[product.category, product.subcategory],
            photo_digest(item.image),
            _mask_digest(item, crops),
        ]

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [
            hashlib.sha256(json.dumps(list(pool.map(row, shard))).encode()).hexdigest()
            for shard in shards
        ]


def photo_digest(image: ProductImage) -> str:
    """sha256 (hex) of a photo's file, or of its pixels where it is no file of its own."""
    if os.path.isfile(image.where):
        return _file_digest(pathlib.Path(image.where))
    try:
        pixels = image.load()
    except InputError:
        return _UNREADABLE
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _mask_digest(item: Item, crops: ProductCrops) -> str:
    if not isinstance(crops, MaskFolderCrops):
        return ""
    try:
        path = crops.path(item.product.product_id, item.image.image_id, item.image.where)
    except InputError:
        return _UNREADABLE
    return _file_digest(path)


def _file_digest(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_CHUNK):
                digest.update(block)
    except OSError:
        return _UNREADABLE
    return digest.hexdigest()
