"""Which place of a text and its image may see which other, where a text is written from left to
right: rows are places that see, columns those that are seen, 1: may be seen.

S = text length, P = patches.
"""

import tensorflow as tf


def causal_mask(text: int, patches: int, dtype) -> tf.Tensor:
    """[S+P, S+P]: a place of the text sees the text up to itself and all patches, a patch sees
    patches alone (UniLM's sequence-to-sequence mask, Dong et al., 2019).
    """
    earlier = tf.linalg.band_part(tf.ones([text, text], dtype), -1, 0)
    return _with_patches([[earlier]], patches)


def writing_mask(text: int, patches: int, dtype) -> tf.Tensor:
    """[2S+P, 2S+P]: `causal_mask` with a second row of the text's places behind the first. Of it, a
    place sees itself, the first row before it, and all patches; nothing else sees it.
    """
    earlier = tf.linalg.band_part(tf.ones([text, text], dtype), -1, 0)
    own = tf.eye(text, dtype=dtype)
    return _with_patches([[earlier, tf.zeros_like(own)], [earlier - own, own]], patches)


def _with_patches(rows, patches):
    """Of texts, given in blocks, with patches that every place sees and that see each other."""
    text = tf.concat([tf.concat(row, axis=1) for row in rows], axis=0)
    places = text.shape[0]
    text = tf.concat([text, tf.ones([places, patches], text.dtype)], axis=1)
    unseen, seen = tf.zeros([patches, places], text.dtype), tf.ones([patches] * 2, text.dtype)
    return tf.concat([text, tf.concat([unseen, seen], axis=1)], axis=0)
