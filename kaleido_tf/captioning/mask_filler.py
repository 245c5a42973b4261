"""Writes captions the paper's way (Kaleido-BERT, section 4.2, "FC"): the text is so many [MASK]s,
which the encoder fills from left to right, each with its likeliest word piece.

Neither paper nor release say how long such a text is; here all are as long as the median text of
training. I = products, P = patches, S = text length.
"""

import numpy as np
import tensorflow as tf

from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.text import Vocabulary


class MaskFiller:
    """A model that was trained with full attention (objectives/captioning.py), at work.

    Args: model: of a BERT-like family (`Captioner.backbone`), its weights in place. length: word
      pieces of every caption.
    """

    def __init__(self, model, vocabulary: Vocabulary, length: int):
        self._model, self._vocabulary, self._length = model, vocabulary, length
        self._forbidden = np.where(vocabulary.is_special, -1e9, 0.0).astype(np.float32)
        self._fill = tf.function(self._fill_all, reduce_retracing=True)

    def write(self, features, boxes, mask) -> tuple[np.ndarray, np.ndarray]:
        """As `CaptionWriter.write`, of products with one photo each; the score is the mean log
        probability.

        Raises: ValueError for products of several photos, which one sequence has no places for.
        """
        if features.shape[1] > 1:
            raise ValueError(f"One photo a product is needed. Received: {features.shape[1]}")
        del mask
        ids, scores = self._fill(tf.constant(features[:, 0]), tf.constant(boxes[:, 0]))
        return ids.numpy(), scores.numpy()

    def _fill_all(self, features, boxes):
        vocabulary, length = self._vocabulary, self._length
        count = tf.shape(features)[0]
        image = self._model.image_inputs(features, boxes)
        unused = self._model.text_length - length - 2
        row = [vocabulary.cls_id] + [vocabulary.mask_id] * length + [vocabulary.sep_id]
        ids = tf.tile(tf.constant([row + [vocabulary.pad_id] * unused]), [count, 1])
        used, total = tf.fill([count], length + 2), tf.zeros([count])
        for place in tf.range(1, length + 1):
            feed = {**text_inputs(ids, used), **image}
            sequence = self._model.encoder(feed, training=False)["sequence_output"]
            position = tf.fill([count, 1], place)
            logits = self._model.named_layers["masked_lm"](sequence, position)[:, 0]
            logarithms = tf.nn.log_softmax(logits + self._forbidden)
            best = tf.argmax(logarithms, axis=-1, output_type=tf.int32)
            total += tf.reduce_max(logarithms, axis=-1)
            here = tf.range(self._model.text_length) == place
            ids = tf.where(here, best[:, None], ids)
        return ids[:, 1 : length + 1], total / length
