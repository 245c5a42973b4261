"""A trained model as a search sees it: words and records to vectors, and to scores of pairs.

D = size of a vector, S = text length.
"""

import functools
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
from kaleido_tf.evaluation.few_pairs import FewPairs
from kaleido_tf.evaluation.vectors import Vectors
from kaleido_tf.families import build_model, check_reads_patches
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
        check_reads_patches(self._config, "Search")
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

    def sequences(
        self, texts: Sequence[str], of_unknown_words: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Padded ids [n, S] int32 and the places used [n]; longer texts are cut off. Raises:
        InputError for a text of no word piece that the vocabulary knows, unless such are allowed.
        """
        tokens = self._tokenizer(list(texts))
        for text, ids in zip(texts, tokens):
            if not of_unknown_words and set(ids) <= {self._vocabulary.unk_id}:
                raise _unknown(text)
        padded, used = zip(*(sequence(ids, self._length, self._vocabulary) for ids in tokens))
        return np.stack(padded), np.array(used, np.int32)

    def unread(self, text: str) -> str | None:
        """What to say of a text that is longer than the model reads; None of others."""
        (tokens,), most = self._tokenizer([text]), self._length - 2  # [CLS] and [SEP]
        if len(tokens) <= most:
            return None
        return f"the model reads the first {most} of the {len(tokens)} word pieces of the text"

    def of_words(self, texts: Sequence[str]) -> np.ndarray:
        """[n, D] float32 of length 1. Raises: InputError for a text of no word that training
        knew.
        """
        vectors = self.vectors.of_texts(*self.sequences(texts))
        for text, vector in zip(texts, vectors):
            if not vector.any():
                raise _unknown(text)
        return vectors

    @functools.cached_property
    def pairs(self) -> FewPairs:
        """What scores pairs of texts (as `sequences` gives them) and photos."""
        return FewPairs(self.model)

    @property
    def tells_words(self) -> bool:
        """Whether `pairs.word_shares` works."""
        return bool(self.model.compares and self.model.has_compared)

    def words_of(self, ids: np.ndarray) -> list[tuple[str, list[int]]]:
        """The whole words of a sequence [S] and the places of their pieces."""
        special, continues = self._vocabulary.is_special, self._vocabulary.is_continuation
        words: list[list[int]] = []
        for place in np.flatnonzero(~special[ids]).tolist():
            if continues[ids[place]] and words:
                words[-1].append(place)
            else:
                words.append([place])
        return [(self._vocabulary.text_of(ids[places]), places) for places in words]


def _unknown(text: str) -> InputError:
    return InputError(
        f"A text with a word that the model knows from its training is needed. Received: {text!r}"
    )
