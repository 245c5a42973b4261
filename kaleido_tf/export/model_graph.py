"""A trained model as functions of word piece ids, patch features and boxes.

B = texts, photos or pairs, L = places of the texts that are given, S = those that the model was
made for, P = patches, F = feature size, D = size of a vector.
"""

import numpy as np
import tensorflow as tf

from kaleido_tf.export.bank import TrainingBank

Outputs = dict[str, tf.Tensor]


class ModelGraph:
    """Args: model: of any family that has `text_vectors` and `image_vectors`, with its weights.
    pad_id: the word piece id that stands for no word.

    Attributes: corrects_hubs: whether vectors come with their hubness. compares: whether a pair's
      score needs the hubness of its sides.
    """

    def __init__(self, model, pad_id: int):
        self._model, self._pad_id = model, pad_id
        self.compares = bool(getattr(model, "compares", False))
        self.corrects_hubs = self.compares and model.has_compared
        self._bank = TrainingBank(model.named_layers["comparison"]) if self.corrects_hubs else None

    @property
    def text_length(self) -> int:
        """S."""
        return self._model.text_length

    @property
    def word_ids(self) -> np.ndarray:
        """Word piece ids that the model knows: those of the training texts that it kept, else all
        but the padding's.
        """
        if self._bank:
            return self._bank.word_ids
        every = np.arange(self._model.config.vocab_size)
        return every[every != self._pad_id]

    @property
    def variables(self) -> list[tf.Variable]:
        """The model's, and what was made ready of them."""
        return [*self._model.variables, *(self._bank.variables if self._bank else ())]

    @property
    def photo_shapes(self) -> tuple[list, list]:
        """Of features and boxes of a batch of photos."""
        count = self._model.num_patches
        return [None, count, self._model.config.patch_feature_size], [None, count, 5]

    def text(self, token_ids) -> Outputs:
        """[B, L] int32 -> `vector` [B, D] and, where hubs are corrected, `hubness` [B]."""
        vectors = self._model.text_vectors(self._texts(token_ids))
        if not self.corrects_hubs:
            return {"vector": vectors}
        return {"vector": vectors, "hubness": self._bank.nearness_of_texts(vectors)}

    def photo(self, features, boxes) -> Outputs:
        """[B, P, F] float32, [B, P, 5] int32 -> as `text`."""
        vectors = self._model.image_vectors(self._model.image_inputs(features, boxes))
        if not self.corrects_hubs:
            return {"vector": vectors}
        return {"vector": vectors, "hubness": self._bank.nearness_of_images(vectors)}

    def text_hubness(self, token_ids) -> tf.Tensor:
        """[B], a text's part in `pair`'s hubness."""
        texts = self._texts(token_ids)
        if not self.corrects_hubs:
            return tf.zeros(tf.shape(token_ids)[:1])
        return self._bank.text_hubness(texts["input_ids"], texts["input_mask"])

    def photo_hubness(self, features, boxes) -> tf.Tensor:
        """[B], a photo's part in `pair`'s hubness."""
        if not self.corrects_hubs:
            return tf.zeros(tf.shape(features)[:1])
        inputs = self._model.image_inputs(features, boxes)
        return self._bank.image_hubness(self._model.compared_features(inputs))

    def pair(self, token_ids, features, boxes, hubness=None) -> Outputs:
        """Each text with the photo at its place: `score` [B], the match logit, by which
        retrieval ranks as the original does, and `logits` [B, 2] of (mismatch, match).

        Args: hubness: [B], the sum of both sides'; None computes it, where the model compares.
        """
        feed = {**self._texts(token_ids), **self._model.image_inputs(features, boxes)}
        if self.compares:
            if hubness is None:
                hubness = self.text_hubness(token_ids) + self.photo_hubness(features, boxes)
            feed["comparison_hubness"] = hubness
        logits = tf.cast(self._model.matcher(feed, training=False), tf.float32)
        return {"score": logits[:, 1], "logits": logits}

    def _texts(self, token_ids) -> dict[str, tf.Tensor]:
        """The model's inputs [B, S] of ids [B, L], L at most S."""
        missing = self.text_length - tf.shape(token_ids)[1]
        ids = tf.pad(token_ids, [[0, 0], [0, missing]], constant_values=self._pad_id)
        ids = tf.ensure_shape(ids, [None, self.text_length])
        mask = tf.cast(ids != self._pad_id, tf.int32)
        return {"input_ids": ids, "input_mask": mask, "segment_ids": tf.zeros_like(ids)}
