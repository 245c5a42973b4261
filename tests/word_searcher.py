"""A searcher without a model for tests of what asks one: products are found by the words of their
texts, by the mean colour of their photos, and by products of like words.
"""

import re
import zlib

import numpy as np

from data_prep.catalogue.reading import read_catalogue
from kaleido_tf.errors import InputError
from kaleido_tf.search.block import Block
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.filters import mask_of
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.index_writing import IndexSettings, write_index
from kaleido_tf.serving.answers import TOP, Found
from kaleido_tf.serving.plain_fields import read_plain_fields

DIMENSION = 61


def words_of(text):
    return re.findall(r"\w+", text.casefold())


def vector_of(text):
    """[DIMENSION] of length 1: a drawn direction for each word, all added."""
    seeds = [zlib.crc32(word.encode()) for word in words_of(text)]
    drawn = [np.random.default_rng(seed).normal(size=DIMENSION) for seed in seeds]
    total = np.sum(drawn, axis=0) if drawn else np.eye(DIMENSION)[0]
    return (total / np.linalg.norm(total)).astype(np.float32)


def write_index_of(manifest, folder):
    """An index of a catalogue's products, opened."""
    products = read_catalogue(str(manifest)).products
    photos = [(product, image) for product in products for image in product.images]
    names = ("title", "category", "subcategory")
    more = read_plain_fields(manifest)
    block = Block(
        [product.product_id for product, _ in photos],
        [image.image_id for _, image in photos],
        [
            {
                **more[product.product_id],
                "text": product.description,
                **{name: getattr(product, name) for name in names},
            }
            for product, _ in photos
        ],
        np.stack([vector_of(f"{p.title} {p.description} {p.subcategory}") for p, _ in photos]),
    )
    settings = IndexSettings("words", DIMENSION, "float32")
    write_index(folder, lambda done: [block], settings, str(len(photos)))
    return open_index(folder)


class WordSearcher:
    """Args: manifest: of the catalogue, for the colours of its photos."""

    has_probabilities = takes_photos = tells_words = True

    def __init__(self, index, manifest):
        self.index, self._search = index, ExactSearch(index)
        images = {i.image_id: i for p in read_catalogue(str(manifest)).products for i in p.images}
        items = list(index.items)
        self._rows = {item["image_id"]: row for row, item in enumerate(items)}
        self._colours = np.stack([_colour(images[each["image_id"]].load()) for each in items])

    def open_model(self):
        """There is none."""

    def find(self, query):
        mask = None if query.filter is None else mask_of(self.index, query.filter)
        if query.like is not None:
            rows = self.index.rows_of([query.like])[0]
            mask = self.index.alive.copy() if mask is None else mask.copy()
            mask[rows] = False
            vector = self.index.vectors_of(rows[:1])[0]
        elif query.photo is not None:
            far = np.abs(self._colours - _colour(query.photo)).sum(axis=1)
            vector = self.index.vectors_of(np.argmin(far)[None])[0]
        else:
            vector = vector_of(query.text)
        most = int((self.index.photos_of_products > 0).sum())
        top = min(TOP, most) if query.top is None else query.top
        rows, scores = self._search.search(vector[None], top, mask)
        found = [self._found(row, score, query) for row, score in zip(rows[0], scores[0])]
        return [each for each in found if (each.probability or 1) >= query.min_probability]

    def _found(self, row, score, query):
        item = self.index.items[int(row)]
        fields = {k: v for k, v in item.items() if k not in ("product_id", "image_id")}
        sure = float(1 / (1 + np.exp(-8 * (score - 0.4)))) if query.text else None
        return Found(item["product_id"], item["image_id"], fields, float(score), sure)

    def speaking_words(self, text, image_id):
        if image_id not in self._rows:
            raise InputError(f"A photo of the index is needed. Received: {image_id}")
        vector = self.index.vectors_of(np.array([self._rows[image_id]]))[0]
        return [(word, float(vector_of(word) @ vector)) for word in words_of(text)]


def _colour(photo):
    """[3] of the middle of a photo [H, W, 3]."""
    height, width = photo.shape[:2]
    middle = photo[height // 4 : -height // 4, width // 4 : -width // 4]
    return middle.reshape(-1, 3).mean(axis=0)
