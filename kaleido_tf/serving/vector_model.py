"""A trained model as a search sees it: texts and photos to vectors.

D = size of a vector, S = text length, P = patches, F = feature size.
"""

import hashlib
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from kaleido_tf.command_line.examples import open_table, open_vocabulary
from kaleido_tf.command_line.model_source import model_to_use
from kaleido_tf.compat.checkpoints.checkpoint_names import named_variables
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.families import build_model
from kaleido_tf.text import Tokenizer, sequence

BLOCK = 64
"""Texts, or photos, that are embedded at once."""
NEIGHBOURS = 10
"""Texts of training whose mean nearness is a photo's hubness."""


class VectorModel:
    """Args: path: a folder or checkpoint, as --predict_checkpoint_path takes it.

    Attributes: path; config; digest: of all that decides the vectors; corrects_hubs: whether it
      kept texts of training, from which it knows which photos are near to everything.
    Raises: InputError if there is no model.
    """

    def __init__(self, path: str | os.PathLike):
        self.path, source = str(path), model_to_use(str(path), None)
        self.config = source.config
        self._vocabulary = open_vocabulary(source.vocabulary, self.config)
        self._tokenizer, self._length = Tokenizer(self._vocabulary), self.config.text_seq_len
        self._model = build_model(self.config, (), self._length)
        _ = self._model.matcher
        load_weights(self._model, source.start)
        self.digest = self._digest()
        self.corrects_hubs = self._model.compares and self._model.has_compared
        self._of_texts = tf.function(self._model.text_vectors, reduce_retracing=True)
        self._of_images = tf.function(self._images, reduce_retracing=True)

    @property
    def dimension(self) -> int:
        """D."""
        config = self.config
        if self._model.compares:
            return config.comparison_members * config.comparison_tower_size
        return config.hidden_size

    def _digest(self) -> str:
        digest = hashlib.sha256(repr(sorted(self.config.to_dict().items())).encode())
        digest.update(self._vocabulary.digest.encode())
        for name, entry in sorted(named_variables(self._model).items()):
            digest.update(name.encode() + entry.variable.numpy().tobytes())
        return digest.hexdigest()[:32]

    def open_table(self, records: str) -> RecordTable:
        """Records that this model reads. Raises: InputError as `open_records`."""
        return open_table(records, self.config, self._vocabulary, self._length)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """[n, D] float32 of length 1.

        Raises: InputError for a text without any word that the model knows.
        """
        tokens = self._tokenizer(list(texts))
        known = [any(i != self._vocabulary.unk_id for i in ids) for ids in tokens]
        if not all(known):
            text = texts[known.index(False)]
            raise InputError(f"A text of at least one word is needed. Received: {text!r}")
        padded, used = zip(*(sequence(ids, self._length, self._vocabulary) for ids in tokens))
        return self._sequences(np.stack(padded), np.array(used, np.int32))

    def sequences_of(self, table: RecordTable, rows: np.ndarray) -> np.ndarray:
        """[n, D] of texts of a table, rows of its `sequences`."""
        return self._sequences(table.sequences[rows], table.lengths[rows])

    def _sequences(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        parts = [
            self._of_texts(text_inputs(tf.constant(ids[part]), tf.constant(lengths[part])))
            for part in _blocks(len(ids))
        ]
        vectors = tf.concat(parts, axis=0).numpy()
        if not (np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3).all():
            raise InputError("None of the words of a text was seen in training. Use other words")
        return vectors

    def photos(self, features: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """[n, D] float32 of length 1, of patch features [n, P, F] and boxes [n, P, 5]."""
        parts = [
            self._of_images(tf.constant(features[part]), tf.constant(boxes[part]))
            for part in _blocks(len(features))
        ]
        return tf.concat(parts, axis=0).numpy()

    def _images(self, features, boxes):
        inputs = self._model.image_inputs(tf.cast(features, tf.float32), tf.cast(boxes, tf.int32))
        return self._model.image_vectors(inputs)

    def hubness(self, vectors: np.ndarray) -> np.ndarray:
        """[n] float32: the mean cosine of photos' vectors [n, D] with the nearest texts of
        training. Of a model that `corrects_hubs` alone.
        """
        near = vectors @ self._bank().T
        count = min(NEIGHBOURS, near.shape[1])
        return np.sort(near, axis=1)[:, -count:].mean(axis=1).astype(np.float32)

    def _bank(self) -> np.ndarray:
        if not hasattr(self, "_bank_vectors"):
            comparison = self._model.named_layers["comparison"]
            self._bank_vectors = comparison.text_vectors(*comparison.bank_texts()).numpy()
        return self._bank_vectors


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]
