import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.layers.heads import (
    LevelClassifier,
    MaskedLanguage,
    PatchReconstruction,
    Pooler,
    gather_places,
)

HIDDEN = tf.random.stateless_normal([2, 4, 7], [1, 2])  # B, P, H


def test_classifier_sees_the_whole_level():
    head = LevelClassifier(9, 0.5)
    logits = head(HIDDEN)
    by_hand = HIDDEN.numpy().reshape(2, 28) @ head.logits.kernel.numpy()
    np.testing.assert_allclose(logits, by_hand, atol=1e-5)
    assert logits.shape == (2, 9)


def test_reconstruction_of_the_masked_places():
    head = PatchReconstruction(5, 0.5)
    logits = head(HIDDEN, tf.constant([[3, 0], [1, 1]]))
    expected = (
        np.stack([HIDDEN[0].numpy()[[3, 0]], HIDDEN[1].numpy()[[1, 1]]])
        @ head.logits.kernel.numpy()
    )
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert logits.shape == (2, 2, 5)


def test_pooler_reads_the_first_place():
    pooler = Pooler(7, 0.5)
    changed = tf.concat([HIDDEN[:, :1], tf.zeros([2, 3, 7])], axis=1)
    np.testing.assert_allclose(pooler(HIDDEN), pooler(changed))
    assert np.abs(pooler(HIDDEN)).max() <= 1


def test_gather_places():
    assert gather_places(
        tf.constant([[[1], [2]], [[3], [4]]]), tf.constant([[1], [0]])
    ).numpy().tolist() == [[[2]], [[3]]]


def test_logits_are_float32_in_mixed_precision():
    with_policy = tf_keras.mixed_precision.Policy("mixed_bfloat16")
    tf_keras.mixed_precision.set_global_policy(with_policy)
    try:
        assert LevelClassifier(3, 0.5)(HIDDEN).dtype == tf.float32
        assert PatchReconstruction(3, 0.5)(HIDDEN, tf.constant([[0], [1]])).dtype == tf.float32
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")


def masked_language(table):
    return MaskedLanguage(
        table,
        activation=tf.nn.relu,
        initializer=tf_keras.initializers.RandomNormal(stddev=1.0, seed=3),
        layer_norm_eps=1e-6,
    )


def test_words_are_decoded_with_their_own_embeddings():
    table = tf.Variable(tf.random.stateless_normal([11, 7], [1, 2]))
    head = masked_language(table)
    hidden = tf.random.stateless_normal([2, 5, 7], [3, 4])
    logits = head(hidden, tf.constant([[4, 0, 1], [2, 2, 3]]))
    head.bias.assign(tf.range(11, dtype=tf.float32))
    biased = head(hidden, tf.constant([[4, 0, 1], [2, 2, 3]]))
    word = head.layer_norm(head.dense(hidden[0, 4][None]))
    np.testing.assert_allclose(logits[0, 0], (word @ tf.transpose(table))[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(biased - logits, np.tile(np.arange(11), [2, 3, 1]), atol=1e-5)
    assert head(hidden, tf.zeros([2, 0], tf.int32)).shape == (2, 0, 11)


def test_logits_of_words_are_float32_in_mixed_precision():
    table = tf.Variable(tf.random.stateless_normal([11, 7], [1, 2]))
    hidden, places = tf.random.stateless_normal([2, 5, 7], [3, 4]), tf.constant([[4], [2]])
    head = masked_language(table)
    exact = head(hidden, places)
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        rounded = masked_language(table)
        rounded(hidden, places)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    rounded.set_weights(head.get_weights())
    found = rounded(tf.cast(hidden, tf.bfloat16), places)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, exact, atol=0.2)
