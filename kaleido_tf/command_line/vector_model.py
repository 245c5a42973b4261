"""A trained model as a search sees it: words and records to vectors.

D = size of a vector.
"""

import hashlib
import os
from collections.abc import Sequence

import numpy as np

from kaleido_tf.command_line.examples import open_table, open_vocabulary
from kaleido_tf.command_line.model_source import model_to_use
from kaleido_tf.compat.checkpoints.checkpoint_names import named_variables
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.vectors import Vectors
from kaleido_tf.families import build_model
from kaleido_tf.text import Tokenizer, Vocabulary, sequence


def model_digest(model, vocabulary: Vocabulary) -> str:
    """32 hex digits of all that decides a model's vectors and scores: its config, its vocabulary
    and its weights.
    """
    digest = hashlib.sha256(repr(sorted(model.config.to_dict().items())).encode())
    digest.update(vocabulary.digest.encode())
    for name, entry in sorted(named_variables(model).items()):
        digest.update(name.encode() + entry.variable.numpy().tobytes())
    return digest.hexdigest()[:32]


class VectorModel:
    """Args: path: a folder or checkpoint, as --predict_checkpoint_path takes it.

    Attributes: model: with its weights. digest: of all that decides the vectors. vectors: of
      records.
    Raises: InputError if there is no model.
    """

    def __init__(self, path: str | os.PathLike):
        source = model_to_use(str(path), None)
        self._config = source.config
        self._vocabulary = open_vocabulary(source.vocabulary, self._config)
        self._tokenizer = Tokenizer(self._vocabulary)
        self._length = min(self._config.text_seq_len, self._config.max_position_embeddings)
        self.model = build_model(self._config, (), self._length)
        _ = self.model.matcher
        load_weights(self.model, source.start)
        self.digest = model_digest(self.model, self._vocabulary)
        self.vectors = Vectors(self.model)

    @property
    def dimension(self) -> int:
        """D."""
        return self.model.vector_size

    def open_table(self, records: str) -> RecordTable:
        """Records that this model reads. Raises: InputError as `open_records`."""
        return open_table(records, self._config, self._vocabulary, self._length)

    def of_words(self, texts: Sequence[str]) -> np.ndarray:
        """[n, D] float32 of length 1. Raises: InputError for a text of no word that training
        knew.
        """
        tokens = self._tokenizer(list(texts))
        padded, used = zip(*(sequence(ids, self._length, self._vocabulary) for ids in tokens))
        vectors = self.vectors.of_texts(np.stack(padded), np.array(used, np.int32))
        for text, ids, vector in zip(texts, tokens, vectors):
            if set(ids) <= {self._vocabulary.unk_id} or not vector.any():
                raise InputError(
                    "A text with a word that the model knows from its training is needed."
                    f" Received: {text!r}"
                )
        return vectors
