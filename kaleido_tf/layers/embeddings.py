"""Embeddings of the text (Kaleido-BERT, section 3.5) and of image patches (also FashionBERT,
section 3.1).

B = batch, S = text length, P = patches of a level or grid, F = feature size, H = hidden size.
"""

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.layers import fused

LAYER_NORM_EPSILON = 1e-12
"""Of every layer norm, as in BERT, unless a model's config says otherwise."""


class TextEmbedding(tf_keras.layers.Layer):
    """Sum of word, segment and position embedding, layer norm, dropout, as in BERT.

    B = batch, S = text length, H = hidden size.

    Inputs:
      input_ids:   [B, S] int. WordPiece ids.
      segment_ids: [B, S] int, below `type_vocab_size`.
    Output: [B, S, H] float.
    Args: initializer_range: spread of the tables at the start. position_range: of those of
      positions and segments, where it is another.
    Raises: ValueError if S is longer than `max_positions`.
    """

    INITIALIZER = tf_keras.initializers.TruncatedNormal

    def __init__(
        self,
        vocab_size,
        hidden_size,
        max_positions,
        type_vocab_size,
        dropout,
        initializer_range,
        layer_norm_eps=LAYER_NORM_EPSILON,
        position_range=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.max_positions = max_positions
        self.type_vocab_size = type_vocab_size
        self.dropout = dropout
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.position_range = initializer_range if position_range is None else position_range
        self.layer_norm = tf_keras.layers.LayerNormalization(
            epsilon=layer_norm_eps, name="layer_norm"
        )
        self.output_dropout = tf_keras.layers.Dropout(dropout)
        # The tables exist from the start: the masked-LM head shares the word table.
        # Float32 whatever the precision: a variable of a strategy is rounded as a whole before its
        # rows are looked up.
        self.word_embeddings = self._table(
            "word_embeddings", vocab_size, initializer_range, experimental_autocast=False
        )
        spread = self.position_range
        self.position_embeddings = self._table("position_embeddings", max_positions, spread)
        self.segment_embeddings = self._table("segment_embeddings", type_vocab_size, spread)

    def _table(self, name, rows, spread, **kwargs):
        initializer, shape = self.INITIALIZER(stddev=spread), [rows, self.hidden_size]
        return self.add_weight(name, shape=shape, initializer=initializer, **kwargs)

    def words(self, input_ids):
        """Rows of the word table, in the precision of the layer. [...] int -> [..., H]."""
        return tf.cast(tf.gather(self.word_embeddings, input_ids), self.compute_dtype)

    def call(self, input_ids, segment_ids):
        length = input_ids.shape[1]
        if length > self.max_positions:
            raise ValueError(
                f"The text must not be longer than `max_position_embeddings`={self.max_positions}."
                f" Received: {length}"
            )
        return self.at(input_ids, segment_ids, self.position_embeddings[:length])

    def at(self, input_ids, segment_ids, positions):
        """As `call`, of places of a text that stand at other positions than its first.

        Args: positions: [S, H], their rows of `position_embeddings`.
        """
        embedded = self.words(input_ids)
        # One-hot, as segments are few: a matmul is cheaper to differentiate than a gather of equal
        # rows.
        segments = tf.one_hot(segment_ids, self.type_vocab_size, dtype=embedded.dtype)
        embedded += fused.by_matrix(segments, self.segment_embeddings)
        embedded += tf.cast(positions, embedded.dtype)  # float32 where a layer is not what calls
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
            "layer_norm_eps": self.layer_norm_eps,
            "position_range": self.position_range,
        }


class BoxProjection(tf_keras.layers.Layer):
    """Projects patch boxes to the hidden size; one matrix is shared by all five levels.

    Inputs:
      boxes: [B, P, 5] int. (x1, x2, y1, y2, w*h) in pixels of the crop.
      crop:  [B, 1, 5] int. The box of the whole crop (level 1).
    Output: [B, P, H] float.
    Raises: ValueError if the last axis of `boxes` is not 5.

    `unit`: `pixel` feeds the numbers as they are (the original), `relative` as fractions of the
      crop's longer side
    (and of its square), so that they are as large as the features beside them.
    """

    def __init__(self, hidden_size, unit, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.unit = unit
        self.initializer_range = initializer_range

    def build(self, input_shape):
        if input_shape[-1] != 5:
            raise ValueError(
                "`boxes` must end in 5 numbers (x1, x2, y1, y2, w*h). Received:"
                f" shape={input_shape}"
            )
        initializer = tf_keras.initializers.TruncatedNormal(stddev=self.initializer_range)
        self.kernel = self.add_weight(
            "kernel", shape=[5, self.hidden_size], initializer=initializer
        )

    def call(self, boxes, crop):
        values = tf.cast(boxes, tf.float32)  # areas go beyond what 16 bits can count
        if self.unit == "relative":
            # [B, 1, 1]
            side = tf.reduce_max(tf.cast(crop[..., :4], tf.float32), axis=-1, keepdims=True)
            values = tf.math.divide_no_nan(
                values, tf.concat([tf.repeat(side, 4, axis=-1), side * side], axis=-1)
            )
        projected = fused.by_matrix(values, tf.cast(self.kernel, tf.float32))
        return tf.cast(projected, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "unit": self.unit,
            "initializer_range": self.initializer_range,
        }


class PatchPositions(tf_keras.layers.Layer):
    """FashionBERT's learned embedding of each place in the grid. [B, P, F] -> [1, P, H], row by
    row.

    Raises: ValueError if there are more patches than `max_patches`.
    """

    def __init__(self, hidden_size, max_patches, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.max_patches = max_patches
        self.initializer_range = initializer_range

    def build(self, input_shape):
        if input_shape[1] > self.max_patches:
            raise ValueError(
                f"There are {self.max_patches} positions of patches. Received: {input_shape[1]}"
                " patches"
            )
        initializer = tf_keras.initializers.TruncatedNormal(stddev=self.initializer_range)
        self.table = self.add_weight(
            "table", shape=[self.max_patches, self.hidden_size], initializer=initializer
        )

    def call(self, features):
        return self.table[None, : features.shape[1]]

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "max_patches": self.max_patches,
            "initializer_range": self.initializer_range,
        }


class FeatureNormalisation(tf_keras.layers.Layer):
    """Brings patch features to mean 0 and spread 1 over the training patches, cut at +-10; shared
    by all levels.

    Not in the original, whose ResNet-50 features are of a size already. Average-pool features of
    other networks have long tails (SqueezeNet: mean 1, largest above 150), and a few of them then
    hide the rest; those of random networks move almost together (one direction holds two fifths of
    their variance), which only `whiten` takes apart.

    Inputs: features [B, P, F] float. Output: the same shape. Mean and directions are weights that
      are set, not trained.

    Args: whiten: False scales each feature by itself; True turns to the principal directions and
      scales those, with a floor of `FLOOR` times the mean variance, so that noise is not blown up.
    """

    LIMIT = 10.0
    FLOOR = 0.05

    def __init__(self, whiten, **kwargs):
        super().__init__(**kwargs)
        self.whiten = whiten

    def build(self, input_shape):
        size = input_shape[-1]
        self.mean = self.add_weight("mean", [size], initializer="zeros", trainable=False)
        self.spread = self.add_weight("spread", [size], initializer="ones", trainable=False)
        if self.whiten:
            identity = tf_keras.initializers.Identity()
            self.directions = self.add_weight(
                "directions", [size, size], initializer=identity, trainable=False
            )

    def call(self, features):
        scaled = (features - self.mean) / self.spread
        if self.whiten:
            scaled = fused.by_matrix(scaled, self.directions)
        return tf.clip_by_value(scaled, -self.LIMIT, self.LIMIT)

    def measure(self, features) -> None:
        """Takes mean, spread and directions from training features, [..., F] array."""
        flat = np.asarray(features, np.float32).reshape(-1, features.shape[-1])
        self.mean.assign(flat.mean(0))
        # A feature that hardly ever moves must not be blown up.
        self.spread.assign(np.maximum(flat.std(0), 1e-2))
        if self.whiten:
            scaled = (flat - self.mean.numpy()) / self.spread.numpy()
            variances, directions = np.linalg.eigh(scaled.T @ scaled / len(scaled))
            floor = self.FLOOR * max(variances.mean(), 1e-6)
            self.directions.assign(directions / np.sqrt(np.maximum(variances, 0) + floor))

    def get_config(self):
        return {**super().get_config(), "whiten": self.whiten}


class PatchEmbedding(tf_keras.layers.Layer):
    """Embeds the patches of one level or grid: projected features + segment + location, layer norm,
    dropout.

    Inputs:
      features: [B, P, F] float. Backbone average-pool outputs, or normalised ones.
      location: [B, P, H] or [1, P, H] float. Output of `BoxProjection` (Kaleido-BERT) or
        `PatchPositions` (FashionBERT).
    Output: [B, P, H] float.

    Args: segment_id: of a kaleido level 1 to 5; an id outside the table gives no segment embedding,
      which is what the original's default table of two rows does to levels 2 to 5.
    """

    def __init__(
        self,
        hidden_size,
        segment_id,
        segment_vocab_size,
        dropout,
        initializer_range,
        layer_norm_eps=LAYER_NORM_EPSILON,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.segment_id = segment_id
        self.segment_vocab_size = segment_vocab_size
        self.dropout = dropout
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.input_dropout = tf_keras.layers.Dropout(dropout)
        self.layer_norm = tf_keras.layers.LayerNormalization(
            epsilon=layer_norm_eps, name="layer_norm"
        )
        self.output_dropout = tf_keras.layers.Dropout(dropout)

    def build(self, input_shape):
        self.projector = self._matrix("projector", input_shape[-1])
        self.segment_embeddings = self._matrix("segment_embeddings", self.segment_vocab_size)

    def _matrix(self, name, rows):
        initializer = tf_keras.initializers.TruncatedNormal(stddev=self.initializer_range)
        return self.add_weight(name, shape=[rows, self.hidden_size], initializer=initializer)

    def call(self, features, location):
        embedded = fused.by_matrix(self.input_dropout(features), self.projector)
        # A row, not the product of a one-hot vector and the table: TensorFlow 2.20 takes a sum of a
        # [1, H] product and a [1, 1, H] tensor (one image, a level of one patch) for a bias and
        # loses an axis when it optimizes the graph.
        if self.segment_id < self.segment_vocab_size:
            location = location + self.segment_embeddings[self.segment_id]
        return self.output_dropout(self.layer_norm(embedded + location))

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "segment_id": self.segment_id,
            "segment_vocab_size": self.segment_vocab_size,
            "dropout": self.dropout,
            "initializer_range": self.initializer_range,
            "layer_norm_eps": self.layer_norm_eps,
        }


class BlankPatches(tf_keras.layers.Layer):
    """Blanks the listed patches of a level or grid (section 3.6, V; FashionBERT's masked patches),
    as in the originals inside the model.

    Inputs:
      features:  [B, P, F] float.
      positions: [B, K] int, indices below P.
    Output: [B, P, F]: each patch times 1 - (how often it is listed), so listed once is zero. A
      patch listed twice is
    negated; released rows may hold such repeats and the original's numbers follow from them. Our
    own never do.
    """

    def call(self, features, positions):
        # [B, P]
        listed = tf.reduce_sum(
            tf.one_hot(positions, features.shape[1], dtype=features.dtype), axis=1
        )
        return features * (1 - listed)[..., None]
