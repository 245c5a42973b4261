"""Reads a JSON-lines manifest: one product a line, image paths relative to the manifest's folder.

    {"product_id": "12", "image": "images/12.jpg", "title": "Wrap dress", "description": "A dress in
     ...", "category": "Garment Full body", "subcategory": "Dress", "split": "train"}

`images` (a list) may stand for `image`; `title` or `description` may be missing; a missing
`subcategory` is the category, a missing `split` is "train"; other fields are ignored. A relative
path must stay inside the folder, since one that climbs out is nearly always a slip; an absolute
path is taken as given, wherever it leads.
"""

import dataclasses
import json
import os
from collections.abc import Iterator
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
from kaleido_tf.files.text_files import decoded, open_text

_TEXT_FIELDS = ("title", "description", "category", "subcategory", "split")


@dataclasses.dataclass(frozen=True)
class ManifestEntry:
    """A product, and its images as the manifest names them (`names`) and as the system finds them
    (`paths`).
    """

    product: Product
    names: tuple[str, ...]
    paths: tuple[str, ...]


def read_manifest(path: str, skip_unusable: bool = False, keep_markup: bool = False) -> Catalogue:
    """Reads a manifest file into a catalogue; arguments as `reading.read_catalogue`.

    Raises: InputError as `read_entries`.
    """
    omissions = Omissions(skip_unusable)
    entries = read_entries(path, omissions, keep_markup)
    products = tuple(entry.product for entry in entries)
    return Catalogue(path, entries_digest(entries), products, omissions.reasons, keep_markup)


def entries_digest(entries: tuple[ManifestEntry, ...]) -> str:
    """The catalogue's digest: an image counts by its name in the manifest and its file's size."""
    identities = {}
    for entry in entries:
        for image, name, path in zip(entry.product.images, entry.names, entry.paths, strict=True):
            identities[image.image_id] = identity(name, path)
    return products_digest((entry.product for entry in entries), identities)


def read_entries(
    path: str, omissions: Omissions | None = None, keep_markup: bool = False
) -> tuple[ManifestEntry, ...]:
    """Reads and checks every line of a manifest; image files are not opened.

    Args: omissions: take the lines that are no product; None: the first one raises. keep_markup: as
      `reading.read_catalogue`.
    Raises: InputError (with the line number) if the file is missing or empty, a line is not a JSON
      object, a field is missing or of the wrong type, a path climbs out of the folder, or a
      product_id comes twice.
    """
    entries: dict[str, ManifestEntry] = {}
    omissions = omissions or Omissions(skip=False)
    for where, line in _lines(path):
        with omissions.listed():
            row = _json_object(decoded(line, where), where)
            entry = _entry(row, os.path.dirname(path), where, keep_markup)
            product_id = entry.product.product_id
            if product_id in entries:
                raise second_product(entry.product, entries[product_id].product)
            entries[product_id] = entry
    if not entries:
        raise omissions.nothing_left("product", "a manifest", path)
    return tuple(entries.values())


def _lines(path: str) -> Iterator[tuple[str, bytes]]:
    """Yields ("<path> line <n>", bytes) for the lines that are not blank; n counts from 1."""
    with open_text(path, "manifest file") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield f"{path} line {number}", line


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"Needed: one JSON object a line. Received: {line[:60].strip()!r} ({error}). "
            f"Where: {where}."
        ) from error
    if not isinstance(row, dict):
        raise InputError(
            "Needed: one JSON object a line."
            f" Received: a JSON {type(row).__name__}. Where: {where}."
        )
    return row


def _entry(row: dict[str, Any], folder: str, where: str, keep_markup: bool) -> ManifestEntry:
    product_id = _text(row, "product_id", where)
    if product_id is None:
        raise InputError(
            f"Needed: the field 'product_id'. Received: only {sorted(row)}. Where: {where}."
        )
    texts = {field: _text(row, field, where) or "" for field in _TEXT_FIELDS}
    names = _image_names(row, f"{where}, product {product_id}")
    paths = tuple(path_inside(folder, name, f"{where}, product {product_id}") for name in names)
    images = [file_image(product_id, n, path, where) for n, path in enumerate(paths, start=1)]
    product = make_product(product_id, images, texts, where, keep_markup)
    return ManifestEntry(product, names, paths)


def _text(row: dict[str, Any], field: str, where: str) -> str | None:
    """The field's text, or None if it is missing or null. Raises: InputError for another type."""
    value = row.get(field)
    if value is not None:
        _check_text(value, field, where)
    return value


def _check_text(value: Any, field: str, where: str) -> None:
    if not isinstance(value, str):
        # A number is refused too: as one, the id 0111593001 would have lost its zero.
        raise InputError(
            f"Needed: the field {field!r} as a string."
            f" Received: {type(value).__name__} {value!r:.60}. "
            f"Where: {where}."
        )
    try:
        # JSON can spell half a surrogate pair, which no file could be written with
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"Needed: the field {field!r} in Unicode. Received: {error}. Where: {where}."
        ) from error


def _image_names(row: dict[str, Any], where: str) -> tuple[str, ...]:
    """The image names of a row, from `image` or `images`. Raises: InputError if none, both or wrong
    types.
    """
    image, images = row.get("image"), row.get("images")
    if (image is None) == (images is None):
        came = "neither" if image is None else "both"
        raise InputError(
            f"Needed: the field 'image' or the field 'images'. Received: {came}. Where: {where}."
        )
    if image is not None:
        images = [image]
    if not isinstance(images, list) or not images:
        raise InputError(
            f"Needed: the field 'images' as a list of paths, not empty. Received: {images!r:.60}. "
            f"Where: {where}."
        )
    for name in images:
        _check_text(name, "image" if image is not None else "images", where)
    return tuple(images)
