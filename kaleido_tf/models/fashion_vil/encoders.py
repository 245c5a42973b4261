"""What an image, a text and a pair are to FashionViL (Han et al., ECCV 2022): a ResNet whose last
map is the image's tokens, and one BERT that reads a text alone or a text and an image.

B = batch, S = text length, V = image tokens, C = channels of a token, D = hidden size.
"""

import functools
from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from kaleido_tf.data.photos import cut_centre
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_vil.config import FashionVilConfig
from kaleido_tf.models.fashion_vil.layers import make_layers
from kaleido_tf.models.fashion_vil.photo_colours import normalised


class FashionVilEncoders(tf.Module):
    """FashionViL's named layers, and what an image, a text and a pair are to them.

    Image input: `images` [B, H, W, 3] float, normalised as `photo_colours` does. Text
    input: `input_ids`, `input_mask` (1 token, 0 padding) [B, S] int.

    An image alone is the mean of its projected tokens: it does not pass the encoder (in the
    release's configs; its code could).

    Args: text_length: default: the config's `text_seq_len`.

    Attributes:
      config, text_length.
      named_layers: name -> layer; a checkpoint knows each variable by this name.
    """

    def __init__(self, config: FashionVilConfig, text_length: int | None = None):
        super().__init__(name=config.model_type)
        self.config = config
        self.text_length = text_length or config.text_seq_len
        if self.text_length > config.max_position_embeddings:
            raise InputError(
                "--input_sequence_length must be at most `max_position_embeddings`="
                f"{config.max_position_embeddings}. Received: {self.text_length}"
            )
        self.named_layers = make_layers(config)

    @functools.cached_property
    def encoder(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs` to {"sequence_output" [B, S + V, D],
        "pooled_output" [B, D], "image_tokens" [B, V, C]}.
        """
        inputs = self.encoder_inputs()
        tokens = self.named_layers["image_encoder"](inputs["images"])
        sequence = self.joint_states(inputs, tokens)
        outputs = {
            "sequence_output": sequence,
            "pooled_output": self.named_layers["pooler"](sequence),
            "image_tokens": tokens,
        }
        return tf_keras.Model(inputs, outputs, name="encoder")

    @functools.cached_property
    def matcher(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs` to [B, 2] float32, (0, how near the vectors of image
        and text are), by which the release ranks; not what its matching head says.
        """
        inputs, norm = self.encoder_inputs(), self.named_layers["contrastive_norm"]
        tokens = self.named_layers["image_encoder"](inputs["images"])
        near = norm(self.image_means(tokens)) * norm(self.text_means(inputs))
        near = tf.reduce_sum(near, axis=1)
        return tf_keras.Model(inputs, tf.stack([tf.zeros_like(near), near], axis=1), name="matcher")

    def encoder_inputs(self) -> dict[str, tf.Tensor]:
        """`images` [B, H, W, 3] float, `input_ids` and `input_mask` [B, S] int32."""
        side = self.config.image_side
        return {
            "images": tf_keras.Input([side, side, 3], name="images"),
            **{
                name: tf_keras.Input([self.text_length], dtype=tf.int32, name=name)
                for name in ("input_ids", "input_mask")
            },
        }

    def image_inputs(self, photos) -> dict[str, tf.Tensor]:
        """The image inputs of photos [B, s, s, 3] uint8; of larger ones the middle."""
        return {"images": normalised(cut_centre(photos, self.config.image_side))}

    # What an image, a text and a pair are.

    def image_means(self, tokens, training=None) -> tf.Tensor:
        """[B, D] float32 of image tokens [B, V, C]: the mean of their projections."""
        projected = self.named_layers["image_embedding"].projection(tokens, training=training)
        return tf.reduce_mean(tf.cast(projected, tf.float32), axis=1)

    def text_states(self, feed: Mapping[str, tf.Tensor], training=None) -> tf.Tensor:
        """[B, S, D] of texts alone."""
        return self._encode(self._embed_text(feed, training), feed["input_mask"], training)

    def text_means(self, feed: Mapping[str, tf.Tensor], training=None) -> tf.Tensor:
        """[B, D] float32 of texts: the mean of their states, [CLS] and [SEP] among them."""
        states = tf.cast(self.text_states(feed, training), tf.float32)
        weights = tf.cast(feed["input_mask"], tf.float32)
        total = tf.reduce_sum(states * weights[..., None], axis=1)
        return total / tf.reduce_sum(weights, axis=1, keepdims=True)

    def joint_states(self, feed, tokens, hidden_places=None, training=None) -> tf.Tensor:
        """[B, S + V, D] of texts with image tokens [B, V, C].

        Args: hidden_places: [B, S + V] int, 1 where no place may look, beside padding.
        """
        embedding = self.named_layers["image_embedding"]
        image = self.named_layers["text_embedding"].layer_norm(embedding(tokens))
        image = embedding.output_dropout(image, training=training)
        hidden = tf.concat([self._embed_text(feed, training), image], axis=1)
        mask = tf.pad(feed["input_mask"], [[0, 0], [0, tokens.shape[1]]], constant_values=1)
        if hidden_places is not None:
            mask *= 1 - hidden_places
        return self._encode(hidden, mask, training)

    def composed_means(self, feed, tokens, hidden_places=None, training=None) -> tf.Tensor:
        """[B, D] float32 of texts with image tokens: the sum of the states of those tokens that
        are not hidden (its length carries nothing). Args: as `joint_states`.
        """
        states = self.joint_states(feed, tokens, hidden_places, training)
        states = tf.cast(states[:, self.text_length :], tf.float32)
        if hidden_places is not None:
            seen = tf.cast(1 - hidden_places[:, self.text_length :], tf.float32)
            states *= seen[..., None]
        return tf.reduce_sum(states, axis=1)

    def matches(self, sequence) -> tf.Tensor:
        """[B, 2] float32 logits of (mismatch, match) from joint states."""
        return self.named_layers["next_sentence"](self.named_layers["pooler"](sequence)[:, None])

    @property
    def vector_size(self) -> int:
        """D of `text_vectors` and `image_vectors`."""
        return self.config.hidden_size

    def text_vectors(self, feed) -> tf.Tensor:
        """[T, D] float32 of length 1 of texts [T, S]. Texts and images that match are near."""
        return tf.math.l2_normalize(self.text_means(feed), axis=-1)

    def image_vectors(self, inputs) -> tf.Tensor:
        """[I, D] float32 of length 1 of images (as `image_inputs`), as `text_vectors`."""
        tokens = self.named_layers["image_encoder"](inputs["images"])
        return tf.math.l2_normalize(self.image_means(tokens), axis=-1)

    def composed_vectors(self, feed, inputs) -> tf.Tensor:
        """[B, D] float32 of length 1 of images (as `image_inputs`), each read with a text that says
        what is to change: near the `image_vectors` of the image that is looked for.
        """
        tokens = self.named_layers["image_encoder"](inputs["images"])
        return tf.math.l2_normalize(self.composed_means(feed, tokens), axis=-1)

    def _embed_text(self, feed, training):
        ids = feed["input_ids"]
        return self.named_layers["text_embedding"](ids, tf.zeros_like(ids), training=training)

    def _encode(self, hidden, mask, training):
        """[B, L, D] of embeddings [B, L, D]; mask [B, L] int: 1 where a place may be looked at."""
        mask = tf.cast(mask, hidden.dtype)[:, None]
        for number in range(self.config.num_hidden_layers):
            block = self.named_layers[f"encoder_layer_{number}"]
            hidden = block([hidden, mask], training=training)
        return hidden
