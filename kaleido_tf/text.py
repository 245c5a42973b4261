"""Text to WordPiece ids and back to a padded sequence: one truth for records and training.

T = tokens of a text without [CLS] and [SEP]; S = `input_sequence_length`.
"""

import functools
import hashlib
import itertools
import pathlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines

DEFAULT_VOCABULARY = pathlib.Path(__file__).parent / "vocabulary" / "bert_uncased.txt"
"""The 30,522 word pieces of bert-base-uncased (Google BERT, Apache-2.0)."""

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


LONGEST_WORD = 200
"""Characters of the longest word that is cut into pieces (`max_input_chars_per_word`)."""

_LONG_RUN = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")
IN_NO_VOCABULARY = "\ue000"
"""A character for private use, which stands for a word that is too long."""
_CJK = (  # the ideographs that BERT's tokenization.py names
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class Vocabulary:
    """The word pieces of a `vocab.txt`, one a line; the id is the line number from 0.

    Attributes: `tokens` (tuple of str), `pad_id`, `unk_id`, `cls_id`, `sep_id`, `mask_id`,
      `is_continuation` ([size] bool: the piece starts with "##" and so continues a word),
      `is_special` ([size] bool: the five special tokens and the unused slots, which masking never
      draws).
    Raises: InputError if the file is missing, has an empty or repeated line, or lacks a special
      token.
    """

    def __init__(self, path: str | pathlib.Path = DEFAULT_VOCABULARY):
        self.path = str(path)
        self.tokens = tuple(_read_lines(pathlib.Path(path)))
        index = {token: number for number, token in enumerate(self.tokens)}
        if len(index) != len(self.tokens):
            first = next(t for n, t in enumerate(self.tokens) if index[t] != n)
            raise InputError(
                f"A vocabulary needs different tokens. Received: {path} holds {first!r} twice"
            )
        missing = [token for token in SPECIAL_TOKENS if token not in index]
        if missing:
            raise InputError(
                f"A vocabulary needs {', '.join(SPECIAL_TOKENS)}. Missing in {path}:"
                f" {', '.join(missing)}"
            )
        self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id = (
            index[token] for token in SPECIAL_TOKENS
        )
        self.is_continuation = np.array([token.startswith("##") for token in self.tokens])
        self.is_special = np.array(
            [token in SPECIAL_TOKENS or token.startswith("[unused") for token in self.tokens]
        )

    def __len__(self) -> int:
        return len(self.tokens)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the file, as `dataset.json` has it of the records made with it."""
        return hashlib.sha256(pathlib.Path(self.path).read_bytes()).hexdigest()

    def text_of(self, ids) -> str:
        """The readable text of a row of ids (word pieces joined, padding left out)."""
        pieces = [self.tokens[int(number)] for number in ids if int(number) != self.pad_id]
        return " ".join(pieces).replace(" ##", "")


def _read_lines(path: pathlib.Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"A vocabulary file (one word piece a line) is needed. Not found: {path}")
    lines = read_lines(path)
    if not lines:
        raise InputError(
            f"A vocabulary file needs one word piece a line. Received an empty file: {path}"
        )
    return lines


class Tokenizer:
    """BERT's uncased tokenizer: lower case, accents stripped, split at punctuation and CJK, then
    WordPiece.

    The reference is the original (tokenization.py of google-research/bert): a word of more than 200
    characters is [UNK]. (Hugging Face stops at 100 characters, tensorflow-text at 100 bytes.)

    Attributes: module: its part in TensorFlow, which a graph with `pieces` is saved with.
    """

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        table = tf.lookup.StaticVocabularyTable(
            tf.lookup.KeyValueTensorInitializer(
                list(vocabulary.tokens),
                tf.range(len(vocabulary), dtype=tf.int64),
                key_dtype=tf.string,
            ),
            num_oov_buckets=1,
        )
        # tensorflow-text would lower with NFKC case folding ("…" becomes three full stops), BERT
        # does not.
        self.module = tf_text.BertTokenizer(
            table,
            lower_case=False,
            token_out_type=tf.int64,
            max_bytes_per_word=4 * LONGEST_WORD,  # a character has up to four in UTF-8
        )

    def __call__(self, texts: list[str]) -> list[list[int]]:
        """Word piece ids of each text, without [CLS] and [SEP], not truncated."""
        if not texts:
            return []
        return self.pieces([_without_long_words(uncased(text)) for text in texts]).to_list()

    def pieces(self, prepared) -> tf.RaggedTensor:
        """[B, T] int64 of strings [B] that `uncased` has prepared and whose long words are gone; in
        a graph, too.
        """
        return self.module.tokenize(prepared).merge_dims(-2, -1)


def uncased(text: str) -> str:
    """BERT's normalisation: control characters out, blanks to spaces, lower case, accents off (NFD
    without marks).
    """
    spaced = "".join(" " if c in "\t\n\r" or unicodedata.category(c) == "Zs" else c for c in text)
    kept = (c for c in spaced if c != "\ufffd" and not unicodedata.category(c).startswith("C"))
    decomposed = unicodedata.normalize("NFD", "".join(kept).lower())
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def _without_long_words(text: str) -> str:
    """Words of more than `LONGEST_WORD` characters become one that no vocabulary has."""
    return _LONG_RUN.sub(lambda run: _shortened(run[0]), text)


def _shortened(run: str) -> str:
    parts = itertools.groupby(run, key=stands_alone)
    words = ((alone, "".join(characters)) for alone, characters in parts)
    return "".join(
        word if alone or len(word) <= LONGEST_WORD else IN_NO_VOCABULARY for alone, word in words
    )


def stands_alone(character: str) -> bool:
    """Whether BERT makes a word of the character alone: punctuation, signs of ASCII, CJK."""
    code = ord(character)
    if code < 128:
        return not character.isalnum()
    return unicodedata.category(character).startswith("P") or any(
        first <= code <= last for first, last in _CJK
    )


def sequence(
    token_ids: Sequence[int], length: int, vocabulary: Vocabulary
) -> tuple[np.ndarray, int]:
    """[CLS] tokens [SEP], cut to `length` and padded: ([S] int32, number of places used)."""
    kept = token_ids[: length - 2]
    ids = np.full([length], vocabulary.pad_id, np.int32)
    ids[0], ids[1 : len(kept) + 1], ids[len(kept) + 1] = vocabulary.cls_id, kept, vocabulary.sep_id
    return ids, len(kept) + 2
