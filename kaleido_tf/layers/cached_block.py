"""A block of the encoder that computes a few new places of a sequence, with the keys and values of
the places before them at hand.

I = images, R = rows (texts that are being written, R / I of each image), n = new places, t = places
of the text before them, P = places of the image, N = heads, D = size of a head, H = hidden size.
"""

import tensorflow as tf

from kaleido_tf.layers.transformer_block import HIDDEN


class CachedBlock:
    """A trained `TransformerBlock`, run without dropout.

    tf-models-official has no public way to the parts of its block; they are used here alone.
    """

    def __init__(self, block):
        self._block, self._attention = block, block._attention_layer

    def keys_values(self, hidden: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """[..., places, H] -> keys and values [..., places, N, D]."""
        return self._attention._key_dense(hidden), self._attention._value_dense(hidden)

    def run(self, hidden, text, image, text_mask, image_bias) -> tf.Tensor:
        """The output at the new places, [R, n, H].

        Args:
          hidden: [R, n, H]. text: keys and values [R, t + n, N, D], the new places' last.
          image: keys and values [I, P, N, D]; row r belongs to image r // (R / I).
          text_mask: [n, t + n] int, 1: may be seen. image_bias: [I, P], added to the scores of the
            image's places.
        """
        query = self._attention._query_dense(tf.cast(hidden, self._block.compute_dtype))
        query *= tf.cast(query.shape[-1], query.dtype) ** -0.5
        images = tf.shape(image[0])[0]
        by_image = tf.reshape(query, tf.concat([[images, -1], tf.shape(query)[1:]], 0))
        seen = tf.einsum("irnhd,iphd->irhnp", by_image, image[0])
        seen += tf.cast(image_bias, seen.dtype)[:, None, None, None]
        seen = tf.reshape(seen, tf.concat([[-1], tf.shape(seen)[2:]], 0))
        read = tf.einsum("rnhd,rthd->rhnt", query, text[0])
        read += HIDDEN * (1 - tf.cast(text_mask, read.dtype))
        weights = tf.nn.softmax(tf.concat([read, seen], axis=-1))
        read, seen = tf.split(weights, [tf.shape(read)[-1], tf.shape(seen)[-1]], axis=-1)
        seen = tf.reshape(seen, tf.concat([[images, -1], tf.shape(seen)[1:]], 0))
        of_images = tf.einsum("irhnp,iphd->irnhd", seen, image[1])
        context = tf.einsum("rhnt,rthd->rnhd", read, text[1])
        context += tf.reshape(of_images, tf.shape(context))
        return self._rest(hidden, self._attention._output_dense(context))

    def _rest(self, hidden, attended):
        """Everything after the attention."""
        block, hidden, attended = self._block, *(tf.cast(x, tf.float32) for x in (hidden, attended))
        attended = block._attention_layer_norm(hidden + attended)
        inner = block._intermediate_activation_layer(block._intermediate_dense(attended))
        output = tf.cast(block._output_dense(inner), tf.float32)
        return block._output_layer_norm(output + attended)
