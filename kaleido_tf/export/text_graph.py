"""Texts to word piece ids in a graph, the same ids that `kaleido_tf.text.Tokenizer` gives.

B = texts, S = text length, n = characters of all texts, one text after the other.
"""

import tensorflow as tf

from kaleido_tf.export.characters import FINAL_SIGMA, SIGMA, character_tables
from kaleido_tf.text import IN_NO_VOCABULARY, LONGEST_WORD, Tokenizer, Vocabulary


class TextGraph:
    """[B] strings (UTF-8; what is no UTF-8 in them is left out) -> [B, S] int32: [CLS], word
    pieces, [SEP], padding; cut to S.
    """

    def __init__(self, vocabulary: Vocabulary, length: int):
        self._vocabulary, self._length = vocabulary, length
        self._tokenizer = Tokenizer(vocabulary)
        tables = character_tables()
        self._starts = tf.Variable(tables.starts, trainable=False, name="starts")
        self._results = tf.Variable(tables.results, trainable=False, name="results")
        # One bit each, so that a character is looked up once.
        classes = tables.cased + 2 * tables.ignored + 4 * tables.in_words
        self._classes = tf.Variable(classes.astype("uint8"), trainable=False, name="classes")

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """[B] string -> [B, S] int32."""
        characters = tf.strings.unicode_decode(texts, "UTF-8", errors="ignore")
        codes, rows = characters.flat_values, characters.value_rowids()
        rows = tf.cast(rows, tf.int32)
        codes, rows = self._uncased(*self._with_final_sigmas(codes, rows))
        codes, rows = self._without_long_words(codes, rows)
        prepared = tf.RaggedTensor.from_value_rowids(codes, rows, tf.size(texts))
        pieces = self._tokenizer.pieces(tf.strings.unicode_encode(prepared, "UTF-8"))
        pieces = tf.cast(pieces[:, : self._length - 2], tf.int32)
        ends = tf.ones_like(pieces[:, :1].to_tensor(shape=[None, 1]))
        special = self._vocabulary
        whole = tf.concat([special.cls_id * ends, pieces, special.sep_id * ends], axis=1)
        return whole.to_tensor(special.pad_id, shape=[None, self._length])

    @property
    def module(self) -> tf.Module:
        """What it is saved with, beside variables."""
        return self._tokenizer.module

    @property
    def variables(self) -> list[tf.Variable]:
        """The tables of characters."""
        return [self._starts, self._results, self._classes]

    def _class(self, codes, bit: int):
        """[n] bool: the bit of each character's class; of no character that is not known."""
        known = codes < tf.size(self._classes)
        classes = tf.gather(self._classes, tf.where(known, codes, 0))
        return known & (tf.bitwise.bitwise_and(classes, tf.constant(bit, tf.uint8)) > 0)

    def _with_final_sigmas(self, codes, rows):
        """Codes and rows [n] as they were, but for capital sigmas at the end of words."""
        unknown = codes >= tf.size(self._classes)
        telling = tf.cast(tf.where(~(self._class(codes, 2) | unknown)), tf.int32)[:, 0]
        around, around_rows = tf.gather(codes, telling), tf.gather(rows, telling)
        cased, same = self._class(around, 1), around_rows[1:] == around_rows[:-1]
        before = tf.concat([[False], cased[:-1] & same], 0)[: tf.size(around)]
        after = tf.concat([cased[1:] & same, [False]], 0)[: tf.size(around)]
        final = (around == ord(SIGMA)) & before & ~after
        places = tf.boolean_mask(telling, final)[:, None]
        sigmas = tf.fill(tf.shape(places)[:1], ord(FINAL_SIGMA))
        return tf.tensor_scatter_nd_update(codes, places, sigmas), rows

    def _uncased(self, codes, rows):
        """What every character becomes, [m] codes and rows."""
        known = tf.where(codes < tf.size(self._classes))[:, 0]
        codes, rows = tf.gather(codes, known), tf.gather(rows, known)
        starts = tf.gather(self._starts, codes)
        lengths = tf.gather(self._starts, codes + 1) - starts
        results = tf.repeat(starts, lengths) + tf.ragged.range(lengths).flat_values
        return tf.gather(self._results, results), tf.repeat(rows, lengths)

    def _without_long_words(self, codes, rows):
        """A word of more than `LONGEST_WORD` characters becomes one that no vocabulary has."""
        in_word = self._class(codes, 4)
        goes_on = in_word[1:] & in_word[:-1] & (rows[1:] == rows[:-1])
        begins = ~tf.concat([[False], goes_on], 0)[: tf.size(codes)]
        words = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        lengths = tf.math.bincount(words, dtype=tf.int32)
        long = tf.gather(lengths, words) > LONGEST_WORD
        codes = tf.where(long, ord(IN_NO_VOCABULARY), codes)
        kept = ~long | begins
        return tf.boolean_mask(codes, kept), tf.boolean_mask(rows, kept)
