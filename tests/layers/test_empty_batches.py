"""Networks of convolutions on two replicas, one of which is given no example at last."""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.evaluation.scoring import score_batches
from kaleido_tf.layers.empty_batches import with_examples
from kaleido_tf.models.fashion_vil.image_encoder import ImageEncoder
from kaleido_tf.models.fashion_vil.patch_tokenizer import PatchTokenizer
from kaleido_tf.models.mvlt.decoder import ImageDecoder
from kaleido_tf.models.mvlt.embeddings import StageEmbedding
from kaleido_tf.training.run_config import DeviceConfig
from kaleido_tf.training.strategy import make_strategy
from tests.tiny_fashion_vil import TOKENIZER

TEXT = 5


def image_encoder():
    encoder = ImageEncoder(3, (1, 1, 1, 1))
    return encoder, lambda images: encoder(images)


def patch_tokenizer():
    tokenizer = PatchTokenizer(**TOKENIZER.layer_sizes)
    return tokenizer, tokenizer.encode


def image_decoder():
    decoder = ImageDecoder(5, (3, 3, 3))

    def paint(images):
        return decoder(images[:, ::2, ::2], images[:, ::4, ::4], images[:, ::8, ::8])

    return decoder, paint


def patches_and_words():
    embedding = StageEmbedding(7, TEXT, 3, 4, 8, 0, 0.02)
    return embedding, lambda images: embedding(images, images[:, :TEXT, 0])


@pytest.mark.parametrize("make", [image_encoder, patch_tokenizer, image_decoder, patches_and_words])
def test_every_replica_may_be_without_examples(make):
    images = tf.random.stateless_normal([3, 64, 64, 3], [1, 2])
    strategy = make_strategy(DeviceConfig(worker_gpus=0, cpu_replicas=2))
    with strategy.scope():
        layer, network = make()
        wanted = network(images)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(2)
    found = score_batches(lambda part, training: network(part), strategy, dataset, 3)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert layer.weights and np.ptp(found, axis=0).max() > 1e-3


def test_one_replica_computes_what_it_is_given():
    given = []
    assert with_examples(lambda maps: given.append(maps) or maps, tf.zeros([0, 2])).shape == (0, 2)
    assert [maps.shape[0] for maps in given] == [0]
