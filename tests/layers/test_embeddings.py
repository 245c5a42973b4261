"""Patches: B=2, P=4, F=5, H=7: all different, so that a swapped axis fails."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.layers.embeddings import (
    BlankPatches,
    BoxProjection,
    FeatureNormalisation,
    PatchEmbedding,
    TextEmbedding,
)


def boxes():
    whole = [[0, 60, 0, 40, 2400]]
    parts = [[0, 30, 0, 20, 600], [30, 60, 0, 20, 600], [0, 30, 20, 40, 600], [30, 60, 20, 40, 600]]
    return tf.constant([parts, parts]), tf.constant([whole, whole])


def test_pixel_boxes_are_fed_as_they_are():
    layer = BoxProjection(7, "pixel", 0.02)
    parts, whole = boxes()
    projected = layer(parts, whole)
    np.testing.assert_allclose(projected, parts.numpy() @ layer.kernel.numpy(), rtol=1e-5)
    assert projected.shape == (2, 4, 7)


def test_relative_boxes_are_fractions_of_the_longer_side():
    layer = BoxProjection(7, "relative", 0.02)
    parts, whole = boxes()
    fractions = parts.numpy() / np.array([60, 60, 60, 60, 3600])
    np.testing.assert_allclose(
        layer(parts, whole), fractions @ layer.kernel.numpy(), rtol=1e-5, atol=1e-7
    )


def test_boxes_need_five_numbers():
    with pytest.raises(ValueError, match=r"must end in 5 numbers.*\(2, 4, 6\)"):
        BoxProjection(7, "pixel", 0.02)(
            tf.zeros([2, 4, 6], tf.int32), tf.zeros([2, 1, 5], tf.int32)
        )


def embed(segment_id=2, rows=6):
    layer = PatchEmbedding(7, segment_id, rows, 0.0, 0.5)
    features, projected = (
        tf.random.stateless_normal([2, 4, 5], [1, 2]),
        tf.random.stateless_normal([2, 4, 7], [3, 4]),
    )
    return layer, features, projected, layer(features, projected).numpy()


def test_sum_of_features_segment_and_box_is_normalised():
    layer, features, projected, result = embed()
    summed = (
        features.numpy() @ layer.projector.numpy()
        + layer.segment_embeddings.numpy()[2]
        + projected.numpy()
    )
    by_hand = (summed - summed.mean(-1, keepdims=True)) / summed.std(-1, keepdims=True)
    np.testing.assert_allclose(result, by_hand, atol=1e-5)


def test_segment_outside_the_table_adds_nothing():
    layer, features, projected, result = embed(segment_id=4, rows=2)
    summed = features.numpy() @ layer.projector.numpy() + projected.numpy()
    np.testing.assert_allclose(
        result, (summed - summed.mean(-1, keepdims=True)) / summed.std(-1, keepdims=True), atol=1e-5
    )


def test_listed_patches_are_blanked_and_a_repeat_is_negated():
    features = tf.ones([2, 4, 5])
    blanked = BlankPatches()(features, tf.constant([[0, 3, 1], [2, 2, 0]])).numpy()[..., 0]
    assert blanked.tolist() == [[0, 0, 1, 0], [0, 1, -1, 1]]


def test_standardised_features_have_mean_0_and_spread_1():
    generator = np.random.default_rng(0)
    features = generator.normal(
        [3.0, -2.0, 0.0, 50.0, 7.0], [1.0, 4.0, 0.1, 9.0, 0.0], [400, 4, 5]
    ).astype(np.float16)
    layer = FeatureNormalisation(whiten=False)
    layer(tf.zeros([1, 4, 5]))
    layer.measure(features)
    result = layer(features.astype(np.float32)).numpy().reshape(-1, 5)
    np.testing.assert_allclose(result.mean(0), 0, atol=2e-2)
    np.testing.assert_allclose(result.std(0)[:4], 1, atol=2e-2)
    assert np.abs(result[:, 4]).max() < 1  # a feature that never moves is not blown up
    assert float(layer(tf.constant([[[1e4, 0, 0, 0, 0]]]))[0, 0, 0]) == 10.0
    assert layer.trainable_variables == []


def test_whitened_features_are_uncorrelated():
    generator = np.random.default_rng(0)
    shared = generator.normal(size=[900, 4, 1]) * 5  # moves all features together
    features = shared + generator.normal(size=[900, 4, 5])
    layer = FeatureNormalisation(whiten=True)
    layer(tf.zeros([1, 4, 5]))
    layer.measure(features)
    result = layer(features.astype(np.float32)).numpy().reshape(-1, 5)
    np.testing.assert_allclose(result.mean(0), 0, atol=2e-2)
    covariance = np.cov(result.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-3
    # The floor of 0.05 times the mean variance holds back directions that hardly move: 1 / 26 here.
    assert 0.35 < np.diag(covariance).min() < np.diag(covariance).max() < 1.0


def test_sum_of_word_segment_and_position_is_normalised():
    layer = TextEmbedding(11, 7, 5, 2, 0.0, 0.5)
    ids, segments = tf.constant([[3, 1, 9], [0, 10, 3]]), tf.constant([[0, 0, 1], [1, 0, 0]])
    words, places, kinds = (
        table.numpy()
        for table in (layer.word_embeddings, layer.position_embeddings, layer.segment_embeddings)
    )
    summed = words[ids] + kinds[segments] + places[:3]
    by_hand = (summed - summed.mean(-1, keepdims=True)) / summed.std(-1, keepdims=True)
    np.testing.assert_allclose(layer(ids, segments), by_hand, atol=1e-5)


def test_text_longer_than_the_table_is_refused():
    layer = TextEmbedding(11, 7, 5, 2, 0.0, 0.5)
    with pytest.raises(ValueError, match="`max_position_embeddings`=5. Received: 6"):
        layer(tf.zeros([1, 6], tf.int32), tf.zeros([1, 6], tf.int32))


@pytest.fixture(params=["float32", "mixed_bfloat16"])
def precision(request):
    tf_keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    tf_keras.mixed_precision.set_global_policy("float32")


def test_compiled_embedding_of_one_image_with_one_patch(precision):
    features = tf.random.stateless_normal([1, 1, 5], [0, 1])
    location = tf.random.stateless_normal([1, 1, 7], [0, 2])
    layer = PatchEmbedding(7, 1, 6, 0.0, 0.5)
    compiled = tf.function(lambda features, location: layer(features, location))
    one = compiled(features, tf.cast(location, layer.compute_dtype))
    two = compiled(*(tf.repeat(v, 2, axis=0) for v in (features, tf.cast(location, one.dtype))))
    assert one.shape == (1, 1, 7)
    np.testing.assert_allclose(tf.cast(one[0], tf.float32), tf.cast(two[1], tf.float32), atol=2e-2)
