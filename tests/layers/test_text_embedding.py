import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.layers.text_embedding import TextEmbedding


def test_sum_of_word_segment_and_position_is_normalised():
    layer = TextEmbedding(11, 7, 5, 2, 0.0, 0.5)
    ids, segments = tf.constant([[3, 1, 9], [0, 10, 3]]), tf.constant([[0, 0, 1], [1, 0, 0]])
    words, places, kinds = (table.numpy() for table in (layer.word_embeddings, layer.position_embeddings, layer.segment_embeddings))
    summed = words[ids] + kinds[segments] + places[:3]
    by_hand = (summed - summed.mean(-1, keepdims=True)) / summed.std(-1, keepdims=True)
    np.testing.assert_allclose(layer(ids, segments), by_hand, atol=1e-5)


def test_text_longer_than_the_table_is_refused():
    layer = TextEmbedding(11, 7, 5, 2, 0.0, 0.5)
    with pytest.raises(ValueError, match="`max_position_embeddings`=5. Received: 6"):
        layer(tf.zeros([1, 6], tf.int32), tf.zeros([1, 6], tf.int32))
