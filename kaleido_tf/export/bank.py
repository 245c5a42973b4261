"""The training products that a comparison keeps, made ready: what does not depend on the text or
photo that is asked about is computed once, and every sum is written so that other runtimes have it.

T = texts, S = text length, I = images, M = products that are kept, U = word pieces of their texts,
L = places of the longest of these, P = patches that are compared, D = size of a vector.
"""

import numpy as np
import tensorflow as tf

from kaleido_tf.evaluation.vectors import NEIGHBOURS
from kaleido_tf.layers.comparison_member import best_patches


class TrainingBank:
    """Args: comparison: a trained one (`kaleido_tf.layers.comparison.TextImageComparison`).

    Attributes: word_ids: [n] word piece ids in its texts.
    """

    def __init__(self, comparison):
        self._comparison = comparison
        self._size = int(comparison.bank_size.numpy())
        ids = comparison.bank_ids[: self._size]
        self.word_ids = np.setdiff1d(ids.numpy(), [0])
        texts, images = comparison.bank_vectors()
        self._texts = _constant(texts, "text_vectors")
        self._images = _constant(images, "image_vectors")
        self._members = [_MemberBank(member, ids, self._size) for member in comparison.members]

    @property
    def variables(self) -> list[tf.Variable]:
        """What was made ready."""
        of_members = [variable for member in self._members for variable in member.variables]
        return [self._texts, self._images, *of_members]

    def text_hubness(self, input_ids, input_mask) -> tf.Tensor:
        """[T], as the comparison's own."""
        scores = [member.of_texts(input_ids, input_mask) for member in self._members]
        return self._mean_of_largest(scores, self._comparison.neighbours)

    def image_hubness(self, features) -> tf.Tensor:
        """[I], as the comparison's own."""
        scores = [member.of_images(features) for member in self._members]
        return self._mean_of_largest(scores, self._comparison.neighbours)

    def nearness_of_texts(self, vectors) -> tf.Tensor:
        """[T]: the mean cosine of vectors [T, D] with the nearest photos of training."""
        cosines = tf.matmul(vectors, self._images, transpose_b=True)
        return self._mean_of_largest([cosines], NEIGHBOURS)

    def nearness_of_images(self, vectors) -> tf.Tensor:
        """[I]: the mean cosine of vectors [I, D] with the nearest texts of training."""
        cosines = tf.matmul(vectors, self._texts, transpose_b=True)
        return self._mean_of_largest([cosines], NEIGHBOURS)

    def _mean_of_largest(self, scores, count: int):
        mean = tf.add_n(scores) / len(scores)
        return tf.reduce_mean(tf.math.top_k(mean, min(count, self._size)).values, axis=-1)


class _MemberBank:
    """One member's sides of the bank, divided by its spreads already."""

    def __init__(self, member, ids, size: int):
        self._member = member
        text = member.text_side(ids, tf.cast(ids > 0, tf.int32))
        pieces, places, weights = _used_words(ids.numpy(), text.weights.numpy())
        words = tf.math.l2_normalize(tf.gather(member.words, pieces), -1)
        by_word, whole = member.spreads.numpy()
        self._words = _constant(words, "words")  # [U, d]
        self._places = _constant(places, "places")  # [M, L], which of the words stands there
        self._weights = _constant(weights / by_word, "weights")  # [M, L]
        self._wholes = _constant(text.whole / whole, "wholes")
        patches, images = member.bank_patches[:size], member.bank_images[:size]
        self._patches = _constant(patches, "patches")
        self._images = _constant(images / whole, "images")
        self._by_word = float(by_word)

    @property
    def variables(self) -> list[tf.Variable]:
        """What was made ready."""
        of_texts = [self._words, self._places, self._weights, self._wholes]
        return [*of_texts, self._patches, self._images]

    def of_texts(self, input_ids, input_mask):
        """[T, M] scores."""
        text = self._member.text_side(input_ids, input_mask)
        width = self._patches.shape[-1]
        flat = tf.reshape(self._patches, [-1, width])
        similarity = tf.matmul(tf.reshape(text.words, [-1, width]), flat, transpose_b=True)
        best = best_patches(tf.reshape(similarity, [-1, *self._patches.shape[:2]]))
        best = tf.reshape(best, [tf.shape(input_ids)[0], -1, self._patches.shape[0]])
        by_word = tf.reduce_sum(best * text.weights[..., None], axis=1) / self._by_word
        return by_word + tf.matmul(text.whole, self._images, transpose_b=True)

    def of_images(self, features):
        """[I, M] scores."""
        image = self._member.image_side(features)
        patches, width = image.patches.shape[1:]
        flat = tf.reshape(image.patches, [-1, width])
        similarity = tf.matmul(flat, self._words, transpose_b=True)
        similarity = tf.reshape(similarity, [-1, patches, self._words.shape[0]])
        best = best_patches(tf.transpose(similarity, [0, 2, 1]))
        by_word = tf.reduce_sum(tf.gather(best, self._places, axis=1) * self._weights, axis=-1)
        return by_word + tf.matmul(image.whole, self._wholes, transpose_b=True)


def _constant(value, name: str) -> tf.Variable:
    """A weight that is set, so that it is saved once however many signatures use it."""
    return tf.Variable(value, trainable=False, name=name)


def _used_words(ids: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The word pieces [U] with a weight in any text of the bank, and of each text which of them
    stand in it and with what weight, [M, L] both; 0 where a text has no further one.
    """
    used = [np.flatnonzero(row) for row in weights]
    longest = max(1, max(map(len, used)))
    pieces = np.unique(ids[weights > 0]) if any(map(len, used)) else np.zeros(1, ids.dtype)
    places = np.zeros([len(ids), longest], np.int32)
    kept = np.zeros([len(ids), longest], np.float32)
    for row, columns in enumerate(used):
        places[row, : len(columns)] = np.searchsorted(pieces, ids[row, columns])
        kept[row, : len(columns)] = weights[row, columns]
    return pieces, places, kept
