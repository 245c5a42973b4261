"""Finds products of an index: by words, by a photo, by both, or by a product of its own.

D = size of a vector, k = products.
"""

import functools
import pathlib
import threading
from collections.abc import Callable

import numpy as np

from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.errors import InputError
from kaleido_tf.search.calibration import SHOWN, Calibration, read_calibration
from kaleido_tf.search.filters import mask_of
from kaleido_tf.search.index_folder import Index
from kaleido_tf.search.manifest import read_manifest
from kaleido_tf.serving.answers import RERANKED, TEXT, TOP, Found, Query, check_words
from kaleido_tf.serving.index_source import NAME, IndexSource, read_source
from kaleido_tf.serving.opened_index import EXACT, OpenedIndex, unit
from kaleido_tf.serving.photo_patches import PhotoPatches
from kaleido_tf.serving.recorded_photos import RecordedPhotos
from kaleido_tf.serving.reranking import Reranking


class Searcher:
    """Answers queries, in several threads at once if need be. Model, networks and records are
    opened when a query first needs them, the index again when it has changed.

    Args: folder: of the index. moved: what the index says of its model, records and networks ->
      where they are now. engine: `exact`, or a kind of FAISS.
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        moved: Callable[[IndexSource], IndexSource] = lambda source: source,
        engine: str = EXACT,
    ):
        self._folder, self._moved, self._engine = pathlib.Path(folder), moved, engine
        self._lock = threading.RLock()  # one call of the model at a time
        self._now = OpenedIndex(self._folder, engine)
        self._again: tuple[int, Reranking] | None = None

    @property
    def index(self) -> Index:
        """As it is now."""
        return self._opened().index

    def find(self, query: Query) -> list[Found]:
        """The best products, the best first, each by its best photo.

        Raises: InputError for a query that asks nothing or too much, a filter that is none, a photo
          or a word of which nothing can be made, a model that did not make the index.
        """
        query.check()
        now = self._opened()
        if query.rerank > now.products:
            raise InputError(
                f"At most the {now.products} products of the index can be scored again. Received:"
                f" {query.rerank}"
            )
        calibration = self._calibration(now, query)
        rows, scores, rivals = self._answers(now, query, SHOWN if calibration else 0)
        told = None
        if calibration and len(rows):
            told = calibration.probability(scores, now.products, rivals)
        top = query.top or min(TOP, query.rerank or TOP)
        return _found(now.items(rows), scores, told, query.min_probability)[:top]

    def speaking_words(self, text: str, image_id: str) -> list[tuple[str, float]]:
        """The whole words of a text in their order, and how much each raises the score of the text
        with a photo above what it does for other photos; below 0 where it speaks against it.

        Raises: InputError for a model that does not compare words with patches, a text without
          words, a photo that is not of the index.
        """
        check_words(text)
        now = self._opened()
        now.check_photo(image_id)
        with self._lock:
            if not self.tells_words:
                raise InputError(
                    "Words that speak for a product need a model with a comparison"
                    f" (comparison_size). The model of {self._folder} has none"
                )
            sequences = self._model.sequences([text])
            features, boxes = self._reranking(now).photos.read(image_id)
            views = len(features)
            texts = tuple(np.repeat(part, views, axis=0) for part in sequences)
            shares = self._model.pairs.word_shares(texts, (features, boxes)).mean(axis=0)
        words = self._model.words_of(sequences[0][0])
        return [(word, float(shares[places].sum())) for word, places in words]

    def unread(self, text: str) -> str | None:
        """What to say of a text that is longer than the model reads; None of others."""
        with self._lock:
            return self._model.unread(text)

    def open_model(self) -> None:
        """Opens the model now. Raises: InputError if it is not the index's."""
        with self._lock:
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
        with self._lock:
            return self._model.tells_words

    def _opened(self) -> OpenedIndex:
        if read_manifest(self._folder).generation != self._now.generation:
            with self._lock:
                self._now = OpenedIndex(self._folder, self._engine)
        return self._now

    @property
    def _source(self) -> IndexSource:
        return self._moved(read_source(self._folder))

    @functools.cached_property
    def _model(self) -> VectorModel:
        path, wanted = self._source.model, self._now.index.manifest.model
        model = VectorModel(path)
        if model.digest != wanted:
            raise InputError(
                f"The model that the index was made with is needed ({wanted}). Received: {path}"
                f" ({model.digest})"
            )
        return model

    @functools.cached_property
    def _photo_patches(self) -> PhotoPatches:
        source = self._source
        return PhotoPatches(source.photos, source.networks, f"the index {self._folder}")

    def _reranking(self, now: OpenedIndex) -> Reranking:
        """Of the records of an opened index; call it with the lock."""
        if not self._again or self._again[0] != now.generation:
            try:
                tables = [self._model.open_table(path) for path in self._source.records]
            except InputError as error:
                raise InputError(
                    f"The records of the index are needed, where {self._folder / NAME} or --records"
                    f" says. {error}"
                ) from error
            self._again = now.generation, Reranking(self._model, RecordedPhotos(tables))
        return self._again[1]

    def _calibration(self, now: OpenedIndex, query: Query) -> Calibration | None:
        stored = (now.index.manifest.calibration or {}).get(RERANKED if query.rerank else TEXT)
        in_words = query.text is not None and query.photo is None
        if in_words and (stored or query.min_probability):
            return read_calibration(stored, f"the index {self._folder}")
        if query.min_probability:
            raise InputError(
                "A lowest probability is for searches in words alone: the likeness of photos has no"
                " probability"
            )
        return None

    def _answers(self, now: OpenedIndex, query: Query, competing: int) -> tuple:
        """Rows and scores [k] of a query's answers, the best first, and the best scores of all
        products, whatever the filter: what is shown is chosen by it, but how probable that is
        depends on all. Args: competing: so many answers and rivals at least, where there are.
        """
        mask = None if query.filter is None else mask_of(now.index, query.filter)
        asked, mask, photo = self._asked(now, query, mask)
        # Hubness is nearness to texts, and says nothing of how near two photos are.
        corrected = None if query.text is not None else False
        count = max(query.top or min(TOP, now.products), query.rerank, min(competing, now.products))
        rows, scores = now.best(asked, count, mask, corrected)
        rivals, best = rows, scores
        if competing and mask is not None:
            rivals, best = now.best(asked, min(competing, now.products), None, corrected)
        if query.rerank and len(rows):
            return self._scored_again(now, rows, rivals, query.text, photo)
        return rows, scores, best

    def _asked(self, now: OpenedIndex, query: Query, mask: np.ndarray | None) -> tuple:
        """The vector [1, D] of a query, the mask of what may be found, and a photo's features."""
        if query.like is not None:
            return *now.like(query.like, mask), None
        with self._lock:
            photo = None if query.photo is None else self._photo_patches.of(query.photo)
            return self._vector(query.text, photo), mask, photo

    def _vector(self, text: str | None, photo) -> np.ndarray:
        """[1, D]: of words, of a photo (the mean of its views), or half way between the two."""
        parts = []
        if text is not None:
            parts.append(self._model.of_words([text]))
        if photo is not None:
            parts.append(unit(self._model.vectors.of_photos(*photo).mean(axis=0, keepdims=True)))
        return unit(np.mean(parts, axis=0))

    def _scored_again(self, now: OpenedIndex, rows, rivals, text, photo) -> tuple:
        """Rows [k] and their scores by the whole model, the best first, and the best scores of the
        rows `rivals`.
        """
        every = np.union1d(rows, rivals)
        with self._lock:
            scores = self._reranking(now).scores(now.items(every), text, photo)
        own, others = (scores[np.searchsorted(every, part)] for part in (rows, rivals))
        order = np.argsort(-own, kind="stable")
        return rows[order], own[order], -np.sort(-others)


def _found(items, scores, told, least: float) -> list[Found]:
    found = []
    for number, (item, score) in enumerate(zip(items, scores.tolist())):
        probability = None if told is None else float(told[number])
        if probability is None or probability >= least:
            fields = dict(item)
            ids = fields.pop("product_id"), fields.pop("image_id")
            found.append(Found(*ids, fields, score, probability))
    return found
