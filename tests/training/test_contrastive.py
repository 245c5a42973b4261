"""The contrastive start: its loss by hand, what it does to the embeddings, and that it repeats itself."""

import math

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.data.record_table import find_files, read_record_table
from kaleido_tf.models.kaleido_bert import KaleidoBert
from kaleido_tf.text import Vocabulary
from kaleido_tf.training import contrastive
from kaleido_tf.training.strategy import make_strategy
from tests import small_records
from tests.models.test_kaleido_bert import tiny_config


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = small_records.write(tmp_path_factory.mktemp("records"), 24, per_shard=7)
    return read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)


def aligned(table, epochs, replicas=1):
    tf.keras.backend.clear_session()
    tf.random.set_seed(3)
    strategy = make_strategy(0, replicas)
    with strategy.scope():
        model = KaleidoBert(
            tiny_config(vocab_size=30522, patch_feature_size=small_records.FEATURE_SIZE, initializer_range=0.1), (), 9
        )
    for number, variable in enumerate(model.trainable_variables):
        variable.assign(tf.random.stateless_normal(variable.shape, [7, number], stddev=0.1) + float("gamma" in variable.name))
    before = [variable.numpy() for variable in model.trainable_variables]
    loss = contrastive.align_embeddings(model, table, strategy, epochs, seed=1)
    return model, before, loss


def test_loss_is_the_cross_entropy_each_way():
    text = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    image = np.array([[0.8, 0.6], [0, 1], [1, 0]], np.float32)
    logits = 3.0 * text @ image.T
    rows = [math.log(np.exp(logits[i]).sum()) - logits[i, i] for i in range(3)]
    columns = [math.log(np.exp(logits[:, i]).sum()) - logits[i, i] for i in range(3)]
    loss = contrastive.contrastive_loss(text, image, 3.0, np.eye(3, dtype=bool))
    assert float(loss) == pytest.approx((np.mean(rows) + np.mean(columns)) / 2, rel=1e-5)


def test_products_that_share_a_text_are_no_mistake():
    text = tf.constant([[1.0, 0.0], [1.0, 0.0]])
    same = np.ones([2, 2], bool)
    assert float(contrastive.contrastive_loss(text, text, 5.0, same)) == pytest.approx(0.0, abs=1e-6)
    assert float(contrastive.contrastive_loss(text, text, 5.0, np.eye(2, dtype=bool))) == pytest.approx(math.log(2), rel=1e-6)


def test_a_matching_text_comes_nearest_and_the_encoder_is_left_alone(table):
    model, before, loss = aligned(table, 200)
    assert loss < 0.5 * math.log(24)  # chance is log 24
    embedding = {v.ref() for v in model.embedder.trainable_variables}
    moved = {v.ref(): bool(np.abs(v.numpy() - old).max() > 0) for v, old in zip(model.trainable_variables, before)}
    assert moved[model.named_layers["text_embedding"].word_embeddings.ref()]
    assert not any(moved[ref] for ref in moved if ref not in embedding)


def test_the_same_seed_gives_the_same_weights_on_one_replica_or_two(table):
    one, two = (aligned(table, 3, replicas)[0].trainable_variables for replicas in (1, 2))
    again = aligned(table, 3)[0].trainable_variables
    for a, b, c in zip(one, again, two):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
        np.testing.assert_allclose(a.numpy(), c.numpy(), atol=1e-6)


def test_later_batches_hold_neighbours(table):
    groups = np.repeat(np.arange(4), 6)
    easy = list(contrastive._batches(groups, 6, epoch=0, epochs=6, seed=0))
    hard = list(contrastive._batches(groups, 6, epoch=5, epochs=6, seed=0))
    assert sorted(np.concatenate(easy)) == sorted(np.concatenate(hard)) == list(range(24))
    mixed = [len(set(groups[rows])) for rows in hard]
    assert max(mixed) <= 2 < max(len(set(groups[rows])) for rows in easy)
