import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.evaluation.vectors import Vectors, mean_of_views
from kaleido_tf.families import build_model
from kaleido_tf.layers.heads import unit_means
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from tests.tiny_models import tiny_config

LENGTH, FEATURES = 9, 5
KALEIDO = tiny_config()
FASHION = FashionBertConfig(
    vocab_size=23,
    hidden_size=12,
    num_hidden_layers=1,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=11,
    max_patch_position_embeddings=16,
    patch_feature_size=FEATURES,
)


def drawn(model, count):
    """Ids, places used, features and boxes."""
    generator = np.random.default_rng(3)
    used = generator.integers(3, LENGTH + 1, count).astype(np.int32)
    ids = generator.integers(1, 23, [count, LENGTH]).astype(np.int32)
    ids *= np.arange(LENGTH) < used[:, None]
    features = generator.normal(size=[count, model.num_patches, FEATURES]).astype(np.float16)
    boxes = generator.integers(0, 30, [count, model.num_patches, 5]).astype(np.int32)
    return ids, used, features, boxes


@pytest.mark.parametrize("config", [KALEIDO, FASHION], ids=["kaleido", "fashion"])
def test_without_a_comparison_they_are_the_means_of_embeddings(config):
    model = build_model(config, (), LENGTH)
    vectors = Vectors(model)
    ids, used, features, boxes = drawn(model, 4)
    mask = (np.arange(LENGTH) < used[:, None]).astype(np.int32)
    feed = {"input_ids": ids, "input_mask": mask, "segment_ids": np.zeros_like(ids)}
    image = model.image_inputs(tf.cast(features, tf.float32), tf.constant(boxes))
    embedded = model.embedder({**feed, **image})
    texts, photos = unit_means(embedded["text"], mask.astype(np.float32), embedded["patches"])
    assert vectors.of_texts(ids, used) == pytest.approx(texts.numpy(), abs=1e-5)
    assert vectors.of_photos(features, boxes) == pytest.approx(photos.numpy(), abs=1e-5)
    assert model.vector_size == texts.shape[1] and not vectors.corrects_hubs


def test_more_than_a_block_is_no_other_than_a_few():
    model = build_model(KALEIDO, (), LENGTH)
    vectors, (ids, used, features, boxes) = Vectors(model), drawn(model, 70)
    whole = vectors.of_texts(ids, used)
    assert whole.shape == (70, model.vector_size)
    assert vectors.of_texts(ids[66:68], used[66:68]) == pytest.approx(whole[66:68], abs=1e-6)
    assert vectors.of_photos(features, boxes).shape == whole.shape


def test_views_have_one_vector_of_length_1():
    vectors = np.eye(3, dtype=np.float32)
    means = mean_of_views(vectors, [[0, 2], [1]])
    assert means == pytest.approx(np.array([[0.5**0.5, 0, 0.5**0.5], [0, 1, 0]]))
