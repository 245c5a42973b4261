"""Writes captions piece by piece: what comes behind the text so far is predicted, put there, and so
on until [SEP], by beam search.

I = images, A = photos of a product, R = rows (beams of all products), S = text length, P = patches,
H = hidden size, N = heads, D = size of a head, V = vocabulary.
"""

import numpy as np
import tensorflow as tf
from official.nlp.modeling.ops.beam_search import sequence_beam_search

from kaleido_tf.captioning.caption_config import Writing
from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.layers.cached_block import HIDDEN, CachedBlock
from kaleido_tf.text import Vocabulary

NEVER = -1e9


class CaptionWriter:
    """A model that was trained with causal attention (objectives/captioning.py), at work.

    Patches are run through the encoder once; of the text, keys and values of what is written are
    kept, so that a step computes the last word piece (and the [MASK] behind it) alone. The
    photos of a product do not see each other. Its text sees them all, each at a weight of one over
    their number, so that several photos draw no more attention from the text than the one photo
    that training shows, and a photo that is there twice changes nothing.

    Args: model: of a BERT-like family (`Captioner.backbone`), its weights in place. behind_mask:
      whether a piece is predicted at a [MASK] behind the text so far (`causal_masked`), instead of
      at the last place of that text.
    """

    def __init__(self, model, vocabulary: Vocabulary, writing: Writing, behind_mask: bool = False):
        self._masks = int(behind_mask)
        self._model, self._vocabulary, self._writing = model, vocabulary, writing
        self._longest = writing.longest_in(model.text_length)
        layers, config = model.named_layers, model.config
        self._text, self._head = layers["text_embedding"], layers["masked_lm"]
        self._encoder_blocks = [
            layers[f"encoder_layer_{number}"] for number in range(config.num_hidden_layers)
        ]
        self._blocks = [CachedBlock(block) for block in self._encoder_blocks]
        self._heads = [config.num_attention_heads, config.hidden_size // config.num_attention_heads]
        allowed = np.where(vocabulary.is_special, NEVER, 0.0)
        self._before_end, self._at_end = allowed.copy(), np.full(len(allowed), NEVER)
        self._with_end = allowed.copy()
        for scores in (self._with_end, self._at_end):
            scores[vocabulary.sep_id] = 0.0
        patches, size = model.num_patches, config.patch_feature_size
        self._write = tf.function(  # traced once, whatever the number of products and photos
            self._written,
            [
                tf.TensorSpec([None, None, patches, size]),
                tf.TensorSpec([None, None, patches, 5], tf.int32),
                tf.TensorSpec([None, None], tf.int32),
            ],
        )

    def write(self, features, boxes, mask) -> tuple[np.ndarray, np.ndarray]:
        """Captions of products.

        Args: features: [I, A, P, F] float32, boxes: [I, A, P, 5] int32, of the products' photos.
          mask: [I, A], 0 where a product has fewer photos.
        Returns: ([I, L] int32 word pieces, 0 behind their end; [I] float32 their log probability,
          divided as `length_penalty` says).
        """
        ids, scores = self._write(*map(tf.constant, (features, boxes, mask)))
        ids = ids.numpy()[:, 1:]
        ended = np.cumsum(ids == self._vocabulary.sep_id, axis=1) > 0
        return np.where(ended, self._vocabulary.pad_id, ids), scores.numpy()

    def _written(self, features, boxes, mask):
        images, bias = self._image_side(features, boxes, mask)
        count, vocabulary = tf.shape(features)[0], self._vocabulary
        first = tf.fill([count], vocabulary.cls_id)
        nothing = tf.zeros([count, 0, *self._heads])  # the search keeps float32 alone
        cache = {
            f"{name}_{number}": nothing
            for number in range(len(self._blocks))
            for name in ("keys", "values")
        }
        ids, scores = sequence_beam_search(
            lambda ids, place, cache: self._next(ids, place, cache, images, bias),
            first,
            cache,
            vocab_size=len(vocabulary),
            beam_size=self._writing.beam_size,
            alpha=self._writing.length_penalty,
            max_decode_length=self._longest + 1,  # and [SEP]
            eos_id=vocabulary.sep_id,
        )
        return ids[:, 0], scores[:, 0]

    def _image_side(self, features, boxes, mask):
        """Keys and values [I, A * P, N, D] of every block, and what is added to their scores, [I,
        A * P].
        """
        products, photos, patches = tf.unstack(tf.shape(features)[:3])
        flat = tf.reshape(features, [-1, *features.shape[2:]])
        image = self._model.image_inputs(flat, tf.reshape(boxes, [-1, *boxes.shape[2:]]))
        no_text = tf.fill([products * photos, self._model.text_length], self._vocabulary.cls_id)
        text = text_inputs(no_text, tf.ones([products * photos], tf.int32))
        hidden = self._model.embedder({**text, **image}, training=False)["patches"]
        sides = []
        for block, encoder_block in zip(self._blocks, self._encoder_blocks):
            sides.append(
                [
                    tf.reshape(part, [products, photos * patches, *self._heads])
                    for part in block.keys_values(hidden)
                ]
            )
            hidden = encoder_block([hidden, tf.ones_like(hidden[..., 0])[:, None]], training=False)
        share = -tf.math.log(tf.reduce_sum(tf.cast(mask, tf.float32), axis=1, keepdims=True))
        return sides, tf.repeat(tf.where(mask > 0, share, HIDDEN), patches, axis=1)

    def _next(self, ids, place, cache, images, image_bias):
        """Logits [R, V] of the word piece behind `ids` [R, place + 1], and the longer cache."""
        rows, masks = tf.shape(ids)[0], self._masks
        mask_ids = tf.fill([rows, masks], self._vocabulary.mask_id)
        new = tf.concat([ids[:, -1:], mask_ids], axis=1)
        positions = self._text.position_embeddings[place : place + 1 + masks]
        hidden = self._text.at(new, tf.zeros_like(new), positions)
        earlier = tf.linalg.band_part(tf.ones([1 + masks] * 2, tf.int32), -1, 0)
        text_mask = tf.pad(earlier, [[0, 0], [place, 0]], constant_values=1)
        longer = {}
        for number, block in enumerate(self._blocks):
            names = f"keys_{number}", f"values_{number}"
            text = [
                tf.concat([tf.cast(cache[name], part.dtype), part], axis=1)
                for name, part in zip(names, block.keys_values(hidden))
            ]
            hidden = block.run(hidden, text, images[number], text_mask, image_bias)
            longer.update(
                {
                    name: tf.cast(part[:, : place + 1], tf.float32)  # a [MASK] is not kept
                    for name, part in zip(names, text)
                }
            )
        logits = self._head(hidden, tf.fill([rows, 1], masks))[:, 0]
        return self._possible(logits, ids, place), longer

    def _possible(self, logits, ids, place):
        """The logits of what may come next."""
        writing = self._writing
        allowed = tf.where(
            place >= self._longest,
            self._at_end.astype(np.float32),
            tf.where(
                place < writing.shortest,
                self._before_end.astype(np.float32),
                self._with_end.astype(np.float32),
            ),
        )
        logits += allowed
        return logits if writing.repeats_trigrams else _without_repeats(logits, ids)


def _without_repeats(logits, ids):
    """The logits [R, V] less those of pieces that would end a trigram which `ids` [R, t] hold."""
    first, second, third = ids[:, :-2], ids[:, 1:-1], ids[:, 2:]
    again = (first == ids[:, -2:-1]) & (second == ids[:, -1:])
    rows = tf.where(again)[:, 0]
    places = tf.stack([tf.cast(rows, tf.int32), tf.boolean_mask(third, again)], axis=1)
    banned = tf.fill(tf.shape(rows), tf.constant(NEVER))
    return tf.tensor_scatter_nd_min(logits, places, banned)
