"""Reads the annotations of FashionViL's release: `<data set>/<split>_info.json`, a list of products
of FashionGen, BigFACAD, Fashion200k or PolyvoreOutfits.

    {"images": ["10_0.png", "10_1.png"], "id": 10, "title": "Slim Jeans", "description": "Of ...",
     "attributes_id": [3, 7], "category_id": 4, "subcategory_id": 17}

Which data set it is, the name of a folder above the file says. Its id becomes "FashionGen_10",
since pre-training joins the four. Only FashionGen has categories; the others have their own name
for one. BigFACAD's title is "color.title", as the release joins them. Photos are looked for by
their names without the ending, in `images/` beside the file, of FashionGen in the folder called as
the split.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from data_prep.catalogue.image_files import file_image, identity, path_inside
from data_prep.catalogue.omissions import Omissions
from data_prep.catalogue.products import (
    Catalogue,
    Product,
    make_product,
    products_digest,
    second_product,
)
from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_list
from kaleido_tf.files.json_rows import JsonRow, as_row
from kaleido_tf.files.photo_files import find_photo

_SPLITS = {"train": "train", "val": "valid", "test": "test"}


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Attributes:
    title, description: the fields that are joined by full stops into each.
    has_categories: whether it has `category_id` and `subcategory_id`.
    folder_of_split: whether photos lie in a folder called as the split, and not in `images`.
    """

    title: tuple[str, ...] = ("title",)
    description: tuple[str, ...] = ("description",)
    has_categories: bool = False
    folder_of_split: bool = False


DATA_SETS = {
    "FashionGen": DataSet(has_categories=True, folder_of_split=True),
    "BigFACAD": DataSet(title=("color", "title")),
    "Fashion200k": DataSet(description=()),
    "PolyvoreOutfits": DataSet(),
}


def read_annotated_products(
    paths: Sequence[str], source: str, skip_unusable: bool = False, keep_markup: bool = False
) -> Catalogue:
    """Reads files of annotations into one catalogue; other arguments as `reading.read_catalogue`.

    Raises: InputError for a file of no known data set or split, an entry of another form, or a
      product_id that comes twice.
    """
    omissions = Omissions(skip_unusable)
    products: dict[str, Product] = {}
    identities: dict[str, str] = {}
    for path, number, entry in _entries(paths):
        with omissions.listed():
            row = as_row(entry, f"{path} entry {number}")
            product, names = _product(row, path, keep_markup)
            if product.product_id in products:
                raise second_product(product, products[product.product_id])
            products[product.product_id] = product
            for image, listed in zip(product.images, names, strict=True):
                identities[image.image_id] = identity(listed, image.path)
    if not products:
        raise omissions.nothing_left("product", "annotations", source)
    found = tuple(products.values())
    digest = products_digest(found, identities)
    return Catalogue(source, digest, found, omissions.reasons, keep_markup)


def _entries(paths: Sequence[str]) -> Iterator[tuple[str, int, Any]]:
    """(file, number from 1, content) of every entry."""
    for path in paths:
        _name_and_split(path)  # a file of none of the data sets is no matter of its entries
        for number, entry in enumerate(read_json_list(path), start=1):
            yield path, number, entry


def _name_and_split(path: str) -> tuple[str, str]:
    """The data set, and the split as the file calls it."""
    match = re.fullmatch(r"(\w+)_info\.json", os.path.basename(path))
    folders = reversed(pathlib.Path(os.path.abspath(path)).parts[:-1])
    name = next((folder for folder in folders if folder in DATA_SETS), None)
    if not match or match[1] not in _SPLITS or name is None:
        raise InputError(
            f"Needed: {', '.join(f'{split}_info.json' for split in _SPLITS)} in a folder"
            f" {', '.join(DATA_SETS)}. Received: {path}."
        )
    return name, match[1]


def _product(row: JsonRow, path: str, keep_markup: bool) -> tuple[Product, tuple[str, ...]]:
    """The product of an entry, and its images as they are listed."""
    name, split = _name_and_split(path)
    data_set, where = DATA_SETS[name], row.where
    product_id = f"{name}_{row.identifier('id')}"
    names = _image_names(row)
    photos = split if data_set.folder_of_split else "images"
    folder = os.path.join(os.path.dirname(path), photos)
    paths = [_photo(folder, listed, f"{where}, product {product_id}") for listed in names]
    texts = {
        "title": ".".join(row.text(field) for field in data_set.title),
        "description": ".".join(row.text(field) for field in data_set.description),
        "category": row.identifier("category_id") if data_set.has_categories else name,
        "subcategory": row.identifier("subcategory_id") if data_set.has_categories else name,
        "split": _SPLITS[split],
    }
    images = [file_image(product_id, number, p, where) for number, p in enumerate(paths, start=1)]
    product = make_product(product_id, images, texts, where, keep_markup)
    attributes = row.numbers("attributes_id") if "attributes_id" in row else None
    return dataclasses.replace(product, attributes=attributes), names


def _image_names(row: JsonRow) -> tuple[str, ...]:
    """Of a product of PolyvoreOutfits one string, of the others a list."""
    return (row.text("images"),) if row.is_text("images") else row.texts("images")


def _photo(folder: str, name: str, where: str) -> str:
    """The file of a photo, or, where there is none, the one that is listed: what reads it says
    so.
    """
    listed = path_inside(folder, name, where)
    return find_photo(os.path.dirname(listed), os.path.basename(listed)) or listed
