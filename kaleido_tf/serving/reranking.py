"""Scores what a search found again, by the whole model.

V = views of a photo, P = patches, F = feature size, k = products.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.serving.recorded_photos import RecordedPhotos

PhotoPatches = tuple[np.ndarray, np.ndarray]
"""Features [V, P, F] and boxes [V, P, 5] of a photo."""


class Reranking:
    """Args: model: what scores. photos: those of the index."""

    def __init__(self, model: VectorModel, photos: RecordedPhotos):
        self._model, self.photos = model, photos

    def scores(
        self, items: Sequence[Mapping], text: str | None, photo: PhotoPatches | None
    ) -> np.ndarray:
        """[k] float32 of items: match logits of the words with their photos, of the photo with
        their texts, or the sum of the two.
        """
        scores = np.zeros(len(items))
        if text is not None:
            photos = [self.photos.read(item["image_id"]) for item in items]
            scores += self.with_photos(self._model.sequences([text]), photos)
        if photo is not None:
            scores += self._with_texts(photo, [str(item["text"]) for item in items])
        return scores.astype(np.float32)

    def with_photos(
        self, text: tuple[np.ndarray, np.ndarray], photos: Sequence[PhotoPatches]
    ) -> np.ndarray:
        """[k] match logits of a text (as `VectorModel.sequences` gives it), each the mean over the
        views of a photo.
        """
        counts = [len(features) for features, _ in photos]
        images = tuple(np.concatenate(parts) for parts in zip(*photos))
        pairs = (np.zeros(sum(counts), int), np.arange(sum(counts)))
        logits = self._model.pairs.match_logits(text, images, pairs)
        return np.bincount(np.repeat(np.arange(len(photos)), counts), logits) / counts

    def _with_texts(self, photo: PhotoPatches, texts: Sequence[str]) -> np.ndarray:
        """[k]: the mean over the views of the photo."""
        views = len(photo[0])
        pairs = (np.repeat(np.arange(len(texts)), views), np.tile(np.arange(views), len(texts)))
        # A product's text may have no word that the model knows; it then says what it says.
        sequences = self._model.sequences(texts, of_unknown_words=True)
        logits = self._model.pairs.match_logits(sequences, photo, pairs)
        return logits.reshape(len(texts), views).mean(axis=1)
