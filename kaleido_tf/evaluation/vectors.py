"""Texts and photos as vectors of length 1 that are near where they match, from any model that gives
`text_vectors` and `image_vectors`; and how near each is to everything.

D = size of a vector, S = text length, P = patches, F = feature size.
"""

import functools

import numpy as np
import tensorflow as tf

from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.errors import InputError

BLOCK = 64
"""Texts, or photos, that are embedded at once."""
NEIGHBOURS = 10
"""Of training, whose mean nearness is the hubness of a photo or a text."""


def check_vectors(model) -> None:
    """Raises: InputError for a model that has no vectors, since it reads text and photo at once."""
    if not hasattr(model, "text_vectors"):
        raise InputError(
            "A model with vectors of texts and photos is needed. Received: a"
            f" {model.config.model_type}, which reads both together and ranks candidate lists alone"
            " (--mode=predict with --type)"
        )


class Vectors:
    """Args: model: with its weights. Raises: InputError as `check_vectors`.

    Attributes: corrects_hubs: whether it kept texts and photos of training, from which it knows
      what is near to everything.
    """

    def __init__(self, model):
        check_vectors(model)
        self._model = model
        self.corrects_hubs = bool(getattr(model, "compares", False) and model.has_compared)
        self._of_texts = tf.function(model.text_vectors, reduce_retracing=True)
        self._of_photos = tf.function(self._photo_vectors, reduce_retracing=True)

    def of_texts(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """[n, D] float32 of padded ids [n, S] and the places used [n]; 0 for a text of which no
        word has a vector.
        """
        parts = [
            self._of_texts(text_inputs(tf.constant(ids[part]), tf.constant(lengths[part])))
            for part in _blocks(len(ids))
        ]
        return tf.concat(parts, axis=0).numpy()

    def of_photos(self, *images: np.ndarray) -> np.ndarray:
        """[n, D] float32 of patch features [n, P, F] and boxes [n, P, 5], or of photos [n, s, s, 3]
        uint8, whichever the model's `image_inputs` takes.
        """
        parts = [
            self._of_photos(*(tf.constant(values[part]) for values in images))
            for part in _blocks(len(images[0]))
        ]
        return tf.concat(parts, axis=0).numpy()

    def _photo_vectors(self, *images):
        images = [values if values.dtype == tf.uint8 else _as_computed(values) for values in images]
        return self._model.image_vectors(self._model.image_inputs(*images))

    def hubness_of_photos(self, vectors: np.ndarray) -> np.ndarray:
        """[n] float32: the mean cosine of vectors [n, D] with the nearest texts of training."""
        return _mean_of_nearest(vectors, self._bank[0])

    def hubness_of_texts(self, vectors: np.ndarray) -> np.ndarray:
        """[n] float32: the mean cosine of vectors [n, D] with the nearest photos of training."""
        return _mean_of_nearest(vectors, self._bank[1])

    @functools.cached_property
    def _bank(self) -> tuple[np.ndarray, np.ndarray]:
        texts, photos = self._model.named_layers["comparison"].bank_vectors()
        return texts.numpy(), photos.numpy()


def _as_computed(values):
    """Features (float16 in records) as float32, boxes as int32."""
    return tf.cast(values, tf.float32 if values.dtype.is_floating else tf.int32)


def mean_of_views(vectors: np.ndarray, photos: list[list[int]]) -> np.ndarray:
    """[n, D] of length 1: of each photo the mean of its views' vectors; 0 where that is 0.

    Args: photos: [n] lists of rows of `vectors`.
    """
    means = np.stack([vectors[views].mean(axis=0) for views in photos])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return means / np.where(lengths > 0, lengths, 1)


def _mean_of_nearest(vectors: np.ndarray, bank: np.ndarray) -> np.ndarray:
    count, parts = min(NEIGHBOURS, len(bank)), []
    for part in _blocks(len(vectors)):
        near = np.sort(vectors[part] @ bank.T, axis=1)
        parts.append(near[:, -count:].mean(axis=1))
    return np.concatenate(parts).astype(np.float32)


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]
