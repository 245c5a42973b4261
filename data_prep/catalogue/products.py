"""What a catalogue is: products, their texts, and their photos as names with a function that reads
each.
"""

import collections
import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from data_prep.catalogue.markup import plain_text
from kaleido_tf.errors import InputError
from kaleido_tf.files.file_names import check_folder_name

MANIFEST_NAME = "products.jsonl"

# Texts of Windows that were read as Latin-1 hold these controls for quotes, dashes and "€".
_WINDOWS_LETTERS = {
    code: bytes([code]).decode("cp1252")
    for code in range(0x80, 0xA0)
    if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)  # which stand for nothing there
}
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")


def _nothing_to_check() -> None:
    """Of images that come decoded, as arrays (a named function, since images are sent to other
    processes).
    """


def _no_content() -> bytes:
    return b""


@dataclasses.dataclass(frozen=True)
class ProductImage:
    """One photo of a product.

    `image_id` is unique in the catalogue: "<product_id>_<n>" with n from 1, as in the original
      release. `where` is for
    messages: a path, or "file.h5 row 12". `load()` gives [H, W, 3] uint8 RGB or raises InputError;
      `check()` raises the
    same for what can be seen without decoding (a missing file, another kind, a pixel bomb).
    `content()` gives its bytes as they are stored, to tell copies (OSError or InputError if they
    cannot be read). `path` of its file; None where it is a part of a larger one.
    """

    image_id: str
    where: str
    load: Callable[[], np.ndarray]
    check: Callable[[], None] = _nothing_to_check
    content: Callable[[], bytes] = _no_content
    path: str | None = None


@dataclasses.dataclass(frozen=True)
class Product:
    """One product; `where` says where it is described, e.g. "products.jsonl line 7". `attributes`:
    numbers of its pseudo-attributes, where the source has such; else None.
    """

    product_id: str
    images: tuple[ProductImage, ...]
    title: str
    description: str
    category: str
    subcategory: str
    split: str
    where: str
    attributes: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """The products of one source, in its order; `digest` as `products_digest` gives it. `unusable`:
    why each line or row that could not be read as a product was left out; `keep_markup`: whether
    texts are as in the source, with entities and tags (see `read_catalogue`).
    """

    source: str
    digest: str
    products: tuple[Product, ...]
    unusable: tuple[str, ...] = ()
    keep_markup: bool = False

    @property
    def category_names(self) -> tuple[str, ...]:
        """Sorted, over all splits, so that a class has one number whichever split is written."""
        return tuple(sorted({product.category for product in self.products}))

    @functools.cached_property
    def subcategories(self) -> dict[tuple[str, str], str]:
        """(category, sub-category) -> the name that tells it from all others, sorted by that name.

        The bare name where it is of one category, else "category/sub-category": "Other" under Shoes
        and under Tops are two kinds of product.
        """
        return _distinct_names({(p.category, p.subcategory) for p in self.products})

    @property
    def subcategory_names(self) -> tuple[str, ...]:
        """Sorted, over all splits; as many as there are pairs of category and sub-category."""
        return tuple(self.subcategories.values())

    def of_split(self, name: str) -> tuple[Product, ...]:
        """The products of one split, in the source's order. Raises: InputError if there
        are none.
        """
        chosen = tuple(product for product in self.products if product.split == name)
        if not chosen:
            counts = collections.Counter(product.split for product in self.products)
            there = ", ".join(
                f"{split} ({count} products)" for split, count in sorted(counts.items())
            )
            raise InputError(
                f"Needed: a split of the catalogue. Received: {name!r}, but there are:"
                f" {there or 'none'}. Where: {self.source}."
            )
        return chosen


def image_owners(catalogue: Catalogue) -> dict[str, str]:
    """Image id -> id of its product, of all splits."""
    return {
        image.image_id: product.product_id
        for product in catalogue.products
        for image in product.images
    }


def _distinct_names(pairs: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    names = {pair: pair[1] for pair in pairs}
    # a longer form where the shorter one is another's name too: ("A/B", "C") and ("A", "B/C")
    for longer in ("/".join, " > ".join, json.dumps):
        uses = collections.Counter(names.values())
        names = {pair: longer(pair) if uses[name] > 1 else name for pair, name in names.items()}
    return dict(sorted(names.items(), key=lambda item: item[1]))


def make_product(
    product_id: str,
    images: Iterable[ProductImage],
    texts: Mapping[str, str],
    where: str,
    keep_markup: bool = False,
) -> Product:
    """Builds a product from raw texts, with the rules that hold for every source.

    `texts` may hold title, description, category, subcategory and split; blank is the same as
    missing. Runs of white space and control characters become one space: records and result files
    are read line by line. Control characters that stand for quotes and dashes of Windows become
    these. Entities and tags of HTML become text, unless `keep_markup`. A missing sub-category is
    the category, a missing split is "train".

    Raises: InputError if the id or the category is blank, if title and description both are, or
      without images.
    """
    texts = {field: _cleaned(text, keep_markup) for field, text in texts.items()}
    images, category = tuple(images), texts.get("category", "")
    if not product_id or product_id != one_line(product_id):
        raise InputError(
            "Needed: a product_id without line breaks, control characters or outer blanks. "
            f"Received: {product_id!r}. Where: {where}."
        )
    if not category:
        raise InputError(
            "Needed: a category."
            f" Received: none or a blank one. Where: {where}, product {product_id}."
        )
    if not texts.get("title") and not texts.get("description"):
        raise InputError(
            "Needed: a title or a description. Received: neither, or both blank. "
            f"Where: {where}, product {product_id}."
        )
    if not images:
        raise InputError(
            f"Needed: at least one image. Received: none. Where: {where}, product {product_id}."
        )
    split = texts.get("split") or "train"
    check_folder_name(split, "split", f"{where}, product {product_id}")
    return Product(
        product_id,
        images,
        texts.get("title", ""),
        texts.get("description", ""),
        category,
        texts.get("subcategory") or category,
        split,
        where,
    )


def second_product(product: Product, first: Product) -> InputError:
    """The error of a product whose id another one has."""
    came = f"{product.product_id!r} twice"
    if product.split != first.split:  # it would be trained on and then evaluated
        came += f", in {first.split!r} and in {product.split!r}"
    return InputError(
        "Needed: every product_id once."
        f" Received: {came}. Where: {first.where} and {product.where}."
    )


def _cleaned(text: str, keep_markup: bool) -> str:
    text = text.translate(_WINDOWS_LETTERS)
    return one_line(text if keep_markup else plain_text(text))


def one_line(text: str) -> str:
    """Collapses runs of white space and control characters to one space, and strips the ends."""
    return _BLANKS.sub(" ", text).strip()


def products_digest(products: Iterable[Product], image_identities: Mapping[str, str]) -> str:
    """SHA-256 (hex) of what defines the products; tells whether files written earlier still belong
    to a catalogue.

    It covers ids, texts, categories, splits, and for each image its name and its size in bytes.
    Folder, file times and the order of the products are left out, so a copied or re-ordered
    catalogue keeps its digest. The pixels
    are not read: that would take hours, while sizes are free, and an edited photo nearly always
      changes size.

    Args:
      image_identities: image_id -> the reader's name and byte count of that image.
    """
    digest = hashlib.sha256()
    for product in sorted(products, key=lambda product: product.product_id):
        images = [[image.image_id, image_identities[image.image_id]] for image in product.images]
        row = [
            product.product_id,
            product.title,
            product.description,
            product.category,
            product.subcategory,
            product.split,
            images,
        ]
        row += [] if product.attributes is None else [list(product.attributes)]
        digest.update(json.dumps(row).encode("ascii") + b"\n")
    return digest.hexdigest()
