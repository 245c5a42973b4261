"""What FashionViL has beside BERT: the embedding of image tokens, the heads of its own tasks, and
the layers of a model by name.

B = batch, T = words, V = image tokens, C = channels of a token, D = hidden size.
"""

import math

import tensorflow as tf
import tf_keras

from kaleido_tf.layers.embeddings import TextEmbedding
from kaleido_tf.layers.fused import exact_gelu
from kaleido_tf.layers.heads import LevelClassifier, MaskedLanguage, Pooler
from kaleido_tf.layers.transformer_block import encoder_blocks
from kaleido_tf.models.fashion_vil.config import FashionVilConfig
from kaleido_tf.models.fashion_vil.image_encoder import ImageEncoder

SHORTEST = 1e-12
"""Vectors are divided by their length, or by this where they are shorter."""


class ImageEmbedding(tf_keras.layers.Layer):
    """Projection of image tokens, and what their places in a joint sequence add. [B, V, C] -> [B,
    V, D] both; layer norm and dropout of the sequence come after.

    The tables are the image's own. They begin as copies of the text's (`make_layers`), as in the
    release.

    Attributes: output_dropout: of what the layer norm makes of the sum.
    """

    def __init__(self, hidden_size, max_positions, num_types, dropout, initializer_range, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size, self.max_positions = hidden_size, max_positions
        self.num_types, self.dropout = num_types, dropout
        self.initializer_range = initializer_range
        self.projection = tf_keras.layers.Dense(
            hidden_size,
            kernel_initializer=tf_keras.initializers.RandomNormal(stddev=initializer_range),
            name="projection",
        )
        self.output_dropout = tf_keras.layers.Dropout(dropout)
        self.position_embeddings = self._table("position_embeddings", max_positions)
        self.type_embeddings = self._table("type_embeddings", num_types)

    def _table(self, name, rows):
        initializer = tf_keras.initializers.TruncatedNormal(stddev=self.initializer_range)
        return self.add_weight(name, shape=[rows, self.hidden_size], initializer=initializer)

    def copy_tables(self, text: TextEmbedding) -> None:
        """Lets the tables begin as those of the text."""
        self.position_embeddings.assign(text.position_embeddings)
        self.type_embeddings.assign(text.segment_embeddings)

    def call(self, tokens):
        projected = self.projection(tokens)
        return projected + self.position_embeddings[: tokens.shape[1]] + self.type_embeddings[0]

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "max_positions": self.max_positions,
            "num_types": self.num_types,
            "dropout": self.dropout,
            "initializer_range": self.initializer_range,
        }


class ScaledNorm(tf_keras.layers.Layer):
    """Vectors brought to one learnt length. [B, D] -> [B, D] float32."""

    def __init__(self, scale, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.first_scale = scale

    def build(self, input_shape):
        # Not before: a model that recognises has none, here and in the release.
        self.scale = self.add_weight(
            "scale", shape=[1], initializer=tf_keras.initializers.Constant(self.first_scale)
        )
        super().build(input_shape)

    def restart(self) -> None:
        """Gives the length the value that it has before it is learnt."""
        self.scale.assign([self.first_scale])

    def call(self, vectors):
        lengths = tf.norm(vectors, axis=-1, keepdims=True)
        return self.scale * vectors / tf.maximum(lengths, SHORTEST)

    def get_config(self):
        return {**super().get_config(), "scale": self.first_scale}


class AttributeClassifier(tf_keras.layers.Layer):
    """Cosines of vectors with those of the pseudo-attributes. [B, D] -> [B, A] float32 in [-1, 1],
    without any temperature, as in the release.
    """

    def __init__(self, num_attributes, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_attributes = num_attributes

    def build(self, input_shape):
        self.directions = self.add_weight(
            "directions",
            shape=[input_shape[-1], self.num_attributes],
            initializer=tf_keras.initializers.RandomNormal(stddev=1.0),
        )
        super().build(input_shape)

    def call(self, vectors):
        return tf.matmul(unit(vectors, axis=-1), unit(self.directions, axis=0))

    def get_config(self):
        return {**super().get_config(), "num_attributes": self.num_attributes}


class TransformedClassifier(tf_keras.layers.Layer):
    """BERT's prediction transform and a linear layer: which code of the patch tokenizer a place
    stands for, or which class an item is of. [N, D] -> [N, classes] float32.
    """

    def __init__(self, num_classes, initializer_range, layer_norm_eps, **kwargs):
        super().__init__(**kwargs)
        self.num_classes, self.initializer_range = num_classes, initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.layer_norm = tf_keras.layers.LayerNormalization(
            epsilon=layer_norm_eps, name="layer_norm"
        )

    def build(self, input_shape):
        size = input_shape[-1]
        self.dense = _transform(size, self.initializer_range)
        self.logits = torch_dense(self.num_classes, size, dtype="float32", name="logits")
        super().build(input_shape)

    def call(self, hidden):
        return self.logits(self.layer_norm(self.dense(hidden)))

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "initializer_range": self.initializer_range,
            "layer_norm_eps": self.layer_norm_eps,
        }


class PatchFeatures(tf_keras.layers.Layer):
    """What a place stands for as the image encoder's token: BERT's prediction transform, and the
    projection of tokens [C, D] the other way round. [N, D], [C, D] -> [N, C] float32.
    """

    def __init__(self, num_channels, initializer_range, layer_norm_eps, **kwargs):
        super().__init__(**kwargs)
        self.num_channels, self.initializer_range = num_channels, initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.layer_norm = tf_keras.layers.LayerNormalization(
            epsilon=layer_norm_eps, name="layer_norm"
        )

    def build(self, input_shape):
        self.dense = _transform(input_shape[-1], self.initializer_range)
        self.bias = self.add_weight(
            "bias",
            [self.num_channels],
            dtype="float32",
            initializer="zeros",
            experimental_autocast=False,  # added to float32 features
        )
        super().build(input_shape)

    def call(self, hidden, projection):
        hidden = self.layer_norm(self.dense(hidden))
        found = tf.matmul(hidden, tf.cast(projection, hidden.dtype), transpose_b=True)
        return tf.cast(found, tf.float32) + self.bias

    def get_config(self):
        return {
            **super().get_config(),
            "num_channels": self.num_channels,
            "initializer_range": self.initializer_range,
            "layer_norm_eps": self.layer_norm_eps,
        }


def _transform(size, spread):
    """BERT's prediction transform, before its layer norm."""
    return tf_keras.layers.Dense(
        size,
        activation=exact_gelu,
        kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=spread),
        name="dense",
    )


def torch_dense(units, inputs, **kwargs) -> tf_keras.layers.Dense:
    """A dense layer whose weights and biases begin even within 1 / sqrt(inputs), PyTorch's
    default.
    """
    limit = 1 / math.sqrt(inputs)
    kernel, bias = (tf_keras.initializers.RandomUniform(-limit, limit) for _ in range(2))
    return tf_keras.layers.Dense(units, kernel_initializer=kernel, bias_initializer=bias, **kwargs)


def unit(vectors, axis):
    """Float32 vectors of length 1 along an axis."""
    vectors = tf.cast(vectors, tf.float32)
    return vectors / tf.maximum(tf.norm(vectors, axis=axis, keepdims=True), SHORTEST)


def make_layers(config: FashionVilConfig) -> dict[str, tf_keras.layers.Layer]:
    """Every layer with weights, by the name a checkpoint gives it."""
    size, spread, epsilon = config.hidden_size, config.initializer_range, config.layer_norm_eps
    frozen = config.trained_image_parts == "convolutions"
    image_encoder = ImageEncoder(
        config.stem_width, config.image_depths, frozen, name="image_encoder"
    )
    if config.trained_image_parts == "none":
        image_encoder.trainable = False
    text = TextEmbedding(
        config.vocab_size,
        size,
        config.max_position_embeddings,
        config.type_vocab_size,
        config.hidden_dropout_prob,
        spread,
        epsilon,
        name="text_embedding",
    )
    blocks = encoder_blocks(config, "erf")
    image = ImageEmbedding(
        size,
        config.max_position_embeddings,
        config.type_vocab_size,
        config.hidden_dropout_prob,
        spread,
        name="image_embedding",
    )
    image.copy_tables(text)
    return {
        "image_encoder": image_encoder,
        "text_embedding": text,
        "image_embedding": image,
        **{block.name: block for block in blocks},
        "pooler": Pooler(size, spread, name="pooler"),
        "contrastive_norm": ScaledNorm(config.contrastive_scale, name="contrastive_norm"),
        "next_sentence": LevelClassifier(2, spread, name="next_sentence"),
        "masked_lm": MaskedLanguage(
            text.word_embeddings,
            activation=exact_gelu,
            initializer=tf_keras.initializers.TruncatedNormal(stddev=spread),
            layer_norm_eps=epsilon,
            name="masked_lm",
        ),
        "patch_codes": TransformedClassifier(
            config.patch_tokenizer.num_codes, spread, epsilon, name="patch_codes"
        ),
        "patch_features": PatchFeatures(
            image_encoder.num_channels, spread, epsilon, name="patch_features"
        ),
        "attributes": AttributeClassifier(config.num_attributes, name="attributes"),
    }
