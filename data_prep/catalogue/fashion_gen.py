"""Reads the Fashion-Gen HDF5 files (fashiongen_256_256_train.h5, fashiongen_256_256_validation.h5).

A file has one dataset a column and N rows, one a photo: `input_image` uint8 [N, 256, 256, 3],
`input_productID` int [N, 1], and texts as bytes [N, 1], of fixed or any length. A product is
photographed in several poses, so several rows share its id; they become one product with several
images, and the text of its first row (the others repeat it).

The published files hold Latin-1, files written anew mostly UTF-8, and what passed through Windows
cp1252, whatever their HDF5 type says; a column may mix them. So each value is decoded for itself,
see `decoded_text`.

The train file has 260,480 rows: text columns are read whole, in one call each, and images one by
one when loaded.
N = rows; rows count from 0, as in h5py.
"""

import collections
import functools
import os
import re
from collections.abc import Sequence

import h5py
import numpy as np

from data_prep.catalogue.omissions import Omissions
from data_prep.catalogue.products import (
    Catalogue,
    Product,
    ProductImage,
    make_product,
    products_digest,
)
from kaleido_tf.errors import InputError

_TEXT_COLUMNS = {
    "title": "input_name",
    "description": "input_description",
    "category": "input_category",
    "subcategory": "input_subcategory",
}
_NEEDED = ("input_image", "input_productID", *_TEXT_COLUMNS.values())
_SPLIT_WORDS = {
    "train": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
}


class FashionGenFile:
    """One checked file: whole columns now, images by row later, over one handle that is opened when
    first needed.

    `path` is as given, `split` by the file's name (see `split_of`). It holds no data, so it can go
    to other processes.
    Raises: InputError if it is not HDF5, lacks a dataset, or has datasets of wrong shape.
    """

    def __init__(self, path: str):
        self.path = path
        self.split = split_of(path)
        self._handle: h5py.File | None = None
        self._check()

    def __getstate__(self):
        return {**self.__dict__, "_handle": None}  # a handle cannot follow into another process

    def column(self, name: str) -> list:
        """The N values of a column: integers, or bytes of text. Raises: InputError if the file is
        damaged there.
        """
        try:
            return self._file()[name][:].ravel().tolist()
        except OSError as error:
            raise InputError(
                f"Needed: the column {name}. Received: {error}. Where: {self.path}."
            ) from error

    def image(self, row: int) -> np.ndarray:
        """[H, W, 3] uint8 RGB. Raises: InputError if the file is damaged there."""
        try:
            return self._file()["input_image"][row]
        except OSError as error:
            raise InputError(
                f"Needed: an image. Received: {error}. Where: {self.path} row {row}."
            ) from error

    def content(self, row: int) -> bytes:
        """The bytes of an image's pixels. Raises: InputError as `image`."""
        return self.image(row).tobytes()

    def _file(self) -> h5py.File:
        if self._handle is None:
            try:
                self._handle = h5py.File(self.path, "r")
            except OSError as error:
                raise InputError(
                    f"Needed: a whole HDF5 file. Received: {error}. Where: {self.path}."
                ) from error
        return self._handle

    def _check(self) -> None:
        if not os.path.isfile(self.path) or not h5py.is_hdf5(self.path):
            came = "a file of another kind" if os.path.isfile(self.path) else "no file of that name"
            raise InputError(f"Needed: an HDF5 file. Received: {came}. Where: {self.path}.")
        datasets = {
            name: item for name, item in self._file().items() if isinstance(item, h5py.Dataset)
        }
        missing = [name for name in _NEEDED if name not in datasets]
        if missing:
            came = ", ".join(sorted(datasets)) or "none"
            raise InputError(
                f"Needed: the datasets {', '.join(_NEEDED)}. Received: {came} "
                f"(missing: {', '.join(missing)}). Where: {self.path}."
            )
        _check_image_column(datasets["input_image"], self.path)
        _check_columns({name: datasets[name] for name in _NEEDED}, self.path)


def _check_image_column(images: h5py.Dataset, path: str) -> None:
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or images.shape[3] != 3
        or 0 in images.shape[1:]
    ):
        raise InputError(
            "Needed: `input_image` as uint8 [rows, height, width, 3]. "
            f"Received: {images.dtype} {list(images.shape)}. Where: {path}."
        )


def _check_columns(datasets: dict[str, h5py.Dataset], path: str) -> None:
    """One value a row, the same rows everywhere, ids as integers and texts as bytes."""
    rows = len(datasets["input_image"])
    for name, dataset in datasets.items():
        if name == "input_image":
            continue
        if dataset.shape not in ((rows,), (rows, 1)):
            raise InputError(
                f"Needed: `{name}` with as many rows as `input_image`, [{rows}, 1]. "
                f"Received: {list(dataset.shape)}. Where: {path}."
            )
        if name == "input_productID":
            needed, right = "integers", dataset.dtype.kind in "iu"
        else:
            needed, right = "byte strings", h5py.check_string_dtype(dataset.dtype) is not None
        if not right:
            raise InputError(
                f"Needed: `{name}` as {needed}. Received: {dataset.dtype}. Where: {path}."
            )


def split_of(path: str) -> str:
    """The split by the words of the file's name: "validation" is "valid", "test" is "test",
    otherwise "train".
    """
    words = re.split(r"[^a-z]+", os.path.basename(path).lower())
    return next((_SPLIT_WORDS[word] for word in reversed(words) if word in _SPLIT_WORDS), "train")


def decoded_text(value: bytes) -> str:
    """A text of an HDF5 column: UTF-8 where it is valid UTF-8, else Latin-1.

    Longer texts of other encodings are never valid UTF-8 by chance: a letter with an accent is
    followed there by a plain one. The quotes and dashes of cp1252 are controls in Latin-1, which
    `products.make_product` reads as Windows does.
    """
    try:
        return value.decode("utf-8-sig")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def read_fashion_gen(
    paths: Sequence[str], source: str, skip_unusable: bool = False, keep_markup: bool = False
) -> Catalogue:
    """Reads Fashion-Gen files as one catalogue; rows of one product may lie in several files of one
    split.

    Args: skip_unusable, keep_markup: as `reading.read_catalogue`.
    Raises: InputError as `FashionGenFile`, without any row that can be used, and for a product
      without text, or a row of a product that came before in another split (it would be trained on
      and then evaluated), unless these are left out.
    """
    files = [FashionGenFile(path) for path in paths]
    omissions = Omissions(skip_unusable)
    rows, texts = _rows_by_product(files, omissions)
    products = []
    for product_id, places in rows.items():
        with omissions.listed():
            products.append(_product(product_id, texts[product_id], places, keep_markup))
    if not products:
        raise omissions.nothing_left("row", "files", source)
    digest = _digest(products, rows, files)
    return Catalogue(source, digest, tuple(products), omissions.reasons, keep_markup)


def _rows_by_product(
    files: Sequence[FashionGenFile], omissions: Omissions
) -> tuple[dict[str, list[tuple[FashionGenFile, int]]], dict[str, dict[str, str]]]:
    """(product id -> its (file, row)s, product id -> the texts of its first row)."""
    rows, texts = collections.defaultdict(list), {}
    for file in files:
        columns = {field: file.column(name) for field, name in _TEXT_COLUMNS.items()}
        for row, product_id in enumerate(map(str, file.column("input_productID"))):
            if product_id not in texts:
                texts[product_id] = {
                    field: decoded_text(column[row]) for field, column in columns.items()
                }
            with omissions.listed():
                _check_split(product_id, rows[product_id], file, row)
                rows[product_id].append((file, row))
    return rows, texts


def _check_split(
    product_id: str, places: list[tuple[FashionGenFile, int]], file: FashionGenFile, row: int
) -> None:
    if places and places[0][0].split != file.split:
        first_file, first_row = places[0]
        raise InputError(
            f"Needed: every product in one split. Received: product {product_id} in"
            f" {first_file.split!r} and in {file.split!r}. Where: {first_file.path} row {first_row}"
            f" and {file.path} row {row}."
        )


def _product(
    product_id: str,
    texts: dict[str, str],
    places: list[tuple[FashionGenFile, int]],
    keep_markup: bool,
) -> Product:
    first_file, first_row = places[0]
    images = [
        ProductImage(
            f"{product_id}_{number}",
            f"{file.path} row {row}",
            functools.partial(file.image, row),
            content=functools.partial(file.content, row),
        )
        for number, (file, row) in enumerate(places, start=1)
    ]
    texts = {**texts, "split": first_file.split}
    where = f"{first_file.path} row {first_row}"
    return make_product(product_id, images, texts, where, keep_markup)


def _digest(
    products: Sequence[Product],
    rows: dict[str, list[tuple[FashionGenFile, int]]],
    files: Sequence[FashionGenFile],
) -> str:
    """The catalogue's digest: an image counts by its file's name and size, and its row."""
    names = {
        file.path: f"{os.path.basename(file.path)} {os.path.getsize(file.path)}" for file in files
    }
    identities = {}
    for product in products:
        for image, (file, row) in zip(product.images, rows[product.product_id], strict=True):
            identities[image.image_id] = f"{names[file.path]} row {row}"
    return products_digest(products, identities)
