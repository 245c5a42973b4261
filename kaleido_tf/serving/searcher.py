"""Finds products of an index: by words, by a photo, by both, or by a product of its own.

D = size of a vector.
"""

import functools
import pathlib
import threading

import numpy as np

from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.errors import InputError
from kaleido_tf.search.calibration import SHOWN, Calibration, read_calibration
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.faiss_search import FaissSearch
from kaleido_tf.search.filters import mask_of
from kaleido_tf.search.index_folder import Index, open_index
from kaleido_tf.search.ranking import NOTHING
from kaleido_tf.serving.answers import RERANKED, TEXT, TOP, Found, Query, check_words
from kaleido_tf.serving.index_source import IndexSource, read_source
from kaleido_tf.serving.photo_patches import PhotoPatches
from kaleido_tf.serving.recorded_photos import RecordedPhotos
from kaleido_tf.serving.reranking import Reranking

EXACT = "exact"


class Searcher:
    """Answers queries, in several threads at once if need be. Model, networks and records are
    opened when a query first needs them.

    Args: folder: of the index. source: where its model, records and networks are; None: as the
      index says. engine: `exact`, or a kind of FAISS.
    """

    def __init__(
        self, folder: str | pathlib.Path, source: IndexSource | None = None, engine: str = EXACT
    ):
        self.index: Index = open_index(folder)
        self._given = source
        self._engine = (
            ExactSearch(self.index) if engine == EXACT else FaissSearch(self.index, engine)
        )
        self._lock = threading.RLock()  # one call of the model at a time

    def find(self, query: Query) -> list[Found]:
        """The best products, the best first, each by its best photo.

        Raises: InputError for a query that asks nothing or too much, a filter that is none or
          leaves nothing to ask, a photo or a word of which nothing can be made, a model that did
          not make the index.
        """
        query.check()
        calibration = self._calibration(query)
        mask = None if query.filter is None else mask_of(self.index, query.filter)
        if query.like is not None:
            asked, mask = self._like(query.like, mask)
        else:
            with self._lock:
                photo = None if query.photo is None else self._photo_patches.of(query.photo)
                asked = self._vector(query.text, photo)
        top = query.top or min(TOP, self._products, query.rerank or TOP)
        # Hubness is nearness to texts, and says nothing of how near two photos are.
        corrected = None if query.text is not None else False
        count = query.rerank or max(top, min(SHOWN, self._products) if calibration else 0)
        rows, scores = self._engine.search(asked, count, mask, corrected)
        kept = rows[0] != NOTHING
        rows, scores = rows[0][kept], scores[0][kept]
        if query.rerank and len(rows):
            items = [self.index.items[int(row)] for row in rows]
            with self._lock:
                order, scores = self._reranking.best_first(items, query.text, photo)
            rows = rows[order]
        return self._found(rows, scores, calibration, query.min_probability)[:top]

    def speaking_words(self, text: str, image_id: str) -> list[tuple[str, float]]:
        """The whole words of a text in their order, and how much each raises the score of the text
        with a photo above what it does for other photos; below 0 where it speaks against it.

        Raises: InputError for a model that does not compare words with patches, a text without
          words, a photo that is not in the records.
        """
        check_words(text)
        with self._lock:
            if not self.tells_words:
                raise InputError(
                    "Words that speak for a product need a model with a comparison"
                    f" (comparison_size). The model of {self.index.folder} has none"
                )
            sequences = self._model.sequences([text])
            features, boxes = self._reranking.photos.read(image_id)
            views = len(features)
            texts = tuple(np.repeat(part, views, axis=0) for part in sequences)
            shares = self._model.pairs.word_shares(texts, (features, boxes)).mean(axis=0)
        words = self._model.words_of(sequences[0][0])
        return [(word, float(shares[places].sum())) for word, places in words]

    def open_model(self) -> None:
        """Opens the model now. Raises: InputError if it is not the index's."""
        _ = self._model

    @property
    def has_probabilities(self) -> bool:
        """Whether searches in words have probabilities."""
        return TEXT in (self.index.manifest.calibration or {})

    @property
    def takes_photos(self) -> bool:
        """Whether photos from outside can be asked with, as far as the index knows."""
        return self._source.photos.get("foreground", "masks") != "masks"

    @property
    def tells_words(self) -> bool:
        """Whether `speaking_words` has something to say."""
        return self._model.tells_words

    @functools.cached_property
    def _source(self) -> IndexSource:
        return self._given or read_source(self.index.folder)

    @functools.cached_property
    def _model(self) -> VectorModel:
        model = VectorModel(self._source.model)
        if model.digest != self.index.manifest.model:
            raise InputError(
                "The model that the index was made with is needed"
                f" ({self.index.manifest.model}). Received: {self._source.model} ({model.digest})"
            )
        return model

    @functools.cached_property
    def _photo_patches(self) -> PhotoPatches:
        source = self._source
        return PhotoPatches(source.photos, source.networks, f"the index {self.index.folder}")

    @functools.cached_property
    def _reranking(self) -> Reranking:
        tables = [self._model.open_table(path) for path in self._source.records]
        return Reranking(self._model, RecordedPhotos(tables))

    @property
    def _products(self) -> int:
        return int((self.index.photos_of_products > 0).sum())

    def _calibration(self, query: Query) -> Calibration | None:
        stored = (self.index.manifest.calibration or {}).get(RERANKED if query.rerank else TEXT)
        in_words = query.text is not None and query.photo is None
        if in_words and (stored or query.min_probability):
            return read_calibration(stored, f"the index {self.index.folder}")
        if query.min_probability:
            raise InputError(
                "A lowest probability is for searches in words alone: the likeness of photos has no"
                " probability"
            )
        return None

    def _like(self, product: str, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The mean of a product's vectors [1, D], and a mask without it."""
        rows, missing = self.index.rows_of([product])
        if missing:
            raise InputError(f"A product of the index is needed. Received: {product}")
        mean = self.index.vectors_of(rows).astype(np.float32).mean(axis=0, keepdims=True)
        mask = self.index.alive.copy() if mask is None else mask.copy()
        mask[rows] = False
        return _unit(mean), mask

    def _vector(self, text: str | None, photo) -> np.ndarray:
        """[1, D]: of words, of a photo (the mean of its views), or half way between the two."""
        parts = []
        if text is not None:
            parts.append(self._model.of_words([text]))
        if photo is not None:
            parts.append(_unit(self._model.vectors.of_photos(*photo).mean(axis=0, keepdims=True)))
        return _unit(np.mean(parts, axis=0))

    def _found(self, rows, scores, calibration: Calibration | None, least: float) -> list[Found]:
        told = [None] * len(rows)
        if calibration:
            told = calibration.probability(scores, self._products).tolist()
        found = []
        for row, score, probability in zip(rows, scores.tolist(), told):
            if probability is None or probability >= least:
                item = dict(self.index.items[int(row)])
                ids = item.pop("product_id"), item.pop("image_id")
                found.append(Found(*ids, item, score, probability))
        return found


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
