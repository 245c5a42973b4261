"""Token, segment and position embeddings of the text (Kaleido-BERT, section 3.5)."""

import tensorflow as tf
import tf_keras

LAYER_NORM_EPSILON = 1e-12
"""Of every layer norm in the model, as in BERT."""


class TextEmbedding(tf_keras.layers.Layer):
    """Sum of word, segment and position embedding, layer norm, dropout, as in BERT.

    B = batch, S = text length, H = hidden size.

    Inputs:
      input_ids:   [B, S] int. WordPiece ids.
      segment_ids: [B, S] int, below `type_vocab_size`.
    Output: [B, S, H] float.
    Raises: ValueError if S is longer than `max_positions`.
    """

    def __init__(self, vocab_size, hidden_size, max_positions, type_vocab_size, dropout, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.max_positions = max_positions
        self.type_vocab_size = type_vocab_size
        self.dropout = dropout
        self.initializer_range = initializer_range
        self.layer_norm = tf_keras.layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON, name="layer_norm")
        self.output_dropout = tf_keras.layers.Dropout(dropout)
        # The tables exist from the start: the masked-LM head shares the word table.
        self.word_embeddings = self._table("word_embeddings", vocab_size)
        self.position_embeddings = self._table("position_embeddings", max_positions)
        self.segment_embeddings = self._table("segment_embeddings", type_vocab_size)

    def _table(self, name, rows):
        initializer = tf_keras.initializers.TruncatedNormal(stddev=self.initializer_range)
        return self.add_weight(name, shape=[rows, self.hidden_size], initializer=initializer)

    def call(self, input_ids, segment_ids):
        length = input_ids.shape[1]
        if length > self.max_positions:
            raise ValueError(
                f"The text must not be longer than `max_position_embeddings`={self.max_positions}. Received: {length}"
            )
        embedded = tf.gather(self.word_embeddings, input_ids)
        # One-hot, as segments are few: a matmul is cheaper to differentiate than a gather of equal rows.
        embedded += tf.matmul(
            tf.one_hot(segment_ids, self.type_vocab_size, dtype=embedded.dtype), self.segment_embeddings
        )
        embedded += self.position_embeddings[:length]
        return self.output_dropout(self.layer_norm(embedded))

    def get_config(self):
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "max_positions": self.max_positions,
            "type_vocab_size": self.type_vocab_size,
            "dropout": self.dropout,
            "initializer_range": self.initializer_range,
        }
