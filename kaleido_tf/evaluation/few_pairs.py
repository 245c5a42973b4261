"""Scores of a few pairs of texts and photos that are in memory, as a search asks for them
(`scoring.py` scores whole records).

n = pairs, T = texts, I = images, S = text length, P = patches, F = feature size.
"""

import numpy as np
import tensorflow as tf

from kaleido_tf.data.pipeline import text_inputs

BLOCK = 16
"""Pairs, texts or images that are looked at at once."""


class FewPairs:
    """Args: model: with its weights."""

    def __init__(self, model):
        self._model, self._matcher = model, model.matcher
        self._logits = tf.function(self._logits_of, reduce_retracing=True)
        self._of_texts = tf.function(self._text_hubness, reduce_retracing=True)
        self._of_images = tf.function(self._image_hubness, reduce_retracing=True)
        self._shares = tf.function(self._shares_of, reduce_retracing=True)

    def match_logits(
        self,
        texts: tuple[np.ndarray, np.ndarray],
        images: tuple[np.ndarray, np.ndarray],
        pairs: tuple[np.ndarray, np.ndarray],
    ) -> np.ndarray:
        """[n] float32, the larger the better a pair matches: what retrieval ranks by.

        Args: texts: padded ids [T, S] and the places used [T]. images: features [I, P, F] and boxes
          [I, P, 5]. pairs: [n] places of each one's text and image.
        """
        of_text, of_image = pairs
        hubness = np.zeros(len(of_text), np.float32)
        if getattr(self._model, "compares", False):
            hubness += _in_blocks(self._of_texts, *texts)[of_text]
            hubness += _in_blocks(self._of_images, *images)[of_image]
        texts, images = (
            [part[pairs[n]] for part in side] for n, side in enumerate((texts, images))
        )
        return _in_blocks(self._logits, *texts, *images, hubness)

    def word_shares(
        self, texts: tuple[np.ndarray, np.ndarray], images: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """[n, S] of the texts with the images at their places; see `PairMatching.word_shares` of
        the models.
        """
        return _in_blocks(self._shares, *texts, *images)

    def _logits_of(self, ids, lengths, features, boxes, hubness):
        inputs = {**text_inputs(ids, lengths), **self._image_inputs(features, boxes)}
        if getattr(self._model, "compares", False):
            inputs["comparison_hubness"] = hubness
        return self._matcher(inputs, training=False)[:, 1]

    def _text_hubness(self, ids, lengths):
        feed = text_inputs(ids, lengths)
        return self._model.text_hubness(feed["input_ids"], feed["input_mask"])

    def _image_hubness(self, features, boxes):
        return self._model.image_hubness(self._image_inputs(features, boxes))

    def _shares_of(self, ids, lengths, features, boxes):
        feed = text_inputs(ids, lengths)
        return self._model.word_shares(feed, self._image_inputs(features, boxes))

    def _image_inputs(self, features, boxes):
        return self._model.image_inputs(tf.cast(features, tf.float32), tf.cast(boxes, tf.int32))


def _in_blocks(function, *arrays: np.ndarray) -> np.ndarray:
    parts = [
        function(*(tf.constant(array[start : start + BLOCK]) for array in arrays)).numpy()
        for start in range(0, len(arrays[0]), BLOCK)
    ]
    return np.concatenate(parts).astype(np.float32)
