"""The start of a new model: the contrastive loss by hand, what it does to the embeddings, attention
and token bias.
"""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.data.record_table import read_images, read_record_table
from kaleido_tf.files.input_files import find_files
from kaleido_tf.layers.heads import unit_means
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.objectives import contrastive_start
from kaleido_tf.objectives.contrastive_start import (
    VALUE_GAIN,
    align_embeddings,
    embedder_inputs,
    open_attention,
    set_token_bias,
    start_from_scratch,
)
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.run_config import DeviceConfig
from kaleido_tf.training.strategy import make_strategy
from tests import small_records
from tests.tiny_models import tiny_config


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = small_records.write(tmp_path_factory.mktemp("records"), 24, per_shard=7)
    return read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)


def small_model():
    model = KaleidoBert(
        tiny_config(
            vocab_size=30522, patch_feature_size=small_records.FEATURE_SIZE, initializer_range=0.1
        ),
        (),
        9,
    )
    _ = model.trainable_variables  # makes all weights
    return model


def aligned(table, epochs, replicas=1):
    strategy = make_strategy(DeviceConfig(worker_gpus=0, cpu_replicas=replicas))
    with strategy.scope():
        model = small_model()
    for number, variable in enumerate(model.trainable_variables):
        variable.assign(
            tf.random.stateless_normal(variable.shape, [7, number], stddev=0.1)
            + float("gamma" in variable.name)
        )
    before = [variable.numpy() for variable in model.trainable_variables]
    align_embeddings(model, table, strategy, epochs, seed=1)
    return model, before


def mean_embeddings(model, table):
    _, features, boxes = read_images(table, np.arange(len(table)))
    feed = embedder_inputs(model, table, table.texts, features, boxes)
    embedded = model.embedder(feed)
    text, image = unit_means(
        embedded["text"], tf.cast(feed["input_mask"], tf.float32), embedded["patches"]
    )
    return feed, text.numpy(), image.numpy()


def test_a_matching_text_comes_nearest_and_the_encoder_is_left_alone(table):
    model, before = aligned(table, 60)
    _, text, image = mean_embeddings(model, table)
    ranks = (text @ image.T).argsort(axis=1)[:, ::-1]
    # The features say colour and kind, which 24 products of 8 colours and 3 kinds do not share.
    assert np.mean(ranks[:, 0] == np.arange(24)) > 0.5  # chance 1/24
    embedding = {v.ref() for v in model.embedder.trainable_variables}
    moved = {
        v.ref(): bool(np.abs(v.numpy() - old).max() > 0)
        for v, old in zip(model.trainable_variables, before)
    }
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
    easy = list(contrastive_start._batches(groups, 6, epoch=0, epochs=6, seed=0))
    hard = list(contrastive_start._batches(groups, 6, epoch=5, epochs=6, seed=0))
    assert sorted(np.concatenate(easy)) == sorted(np.concatenate(hard)) == list(range(24))
    mixed = [len(set(groups[rows])) for rows in hard]
    assert max(mixed) <= 2 < max(len(set(groups[rows])) for rows in easy)


def test_similarity_of_the_matching_head_takes_over_what_was_learnt(table):
    tf.random.set_seed(4)
    strategy = make_strategy(DeviceConfig(worker_gpus=0))
    with strategy.scope():
        model = KaleidoBert(
            tiny_config(
                vocab_size=30522,
                patch_feature_size=small_records.FEATURE_SIZE,
                matching_similarity=True,
            ),
            (),
            9,
        )
    start_from_scratch(model, table, strategy, epochs=60, seed=1)
    feed, text, image = mean_embeddings(model, table)
    layer = model.named_layers["similarity"]
    expected = np.exp(layer.log_scale.numpy()) * (text * image).sum(1) + layer.bias.numpy()
    plain = KaleidoBert(
        tiny_config(vocab_size=30522, patch_feature_size=small_records.FEATURE_SIZE), (), 9
    )
    _ = plain.trainable_variables  # makes all weights
    for name, other in plain.named_layers.items():
        for ours, theirs in zip(other.weights, model.named_layers[name].weights):
            ours.assign(theirs)
    added = model.matcher(feed).numpy() - plain.matcher(feed).numpy()
    np.testing.assert_allclose(added, np.stack([np.zeros(24), expected], axis=1), atol=1e-4)
    assert np.mean(expected > 0) > 0.7  # matching pairs lie above the border


def test_attention_begins_as_an_amplified_mean():
    model = small_model()
    open_attention(model)
    hidden = tf.random.stateless_normal([2, 5, model.config.hidden_size], [1, 2])
    block = model.named_layers["encoder_layer_0"]
    for weight in block.weights:
        if "query" in weight.name:
            weight.assign(tf.zeros_like(weight))  # wholly uniform, to compare with a plain mean
        if "self_attention" in weight.name and "bias" in weight.name:
            weight.assign(tf.zeros_like(weight))
    read = block._attention_layer(hidden, hidden)
    mean = tf.reduce_mean(hidden, axis=1, keepdims=True)
    np.testing.assert_allclose(read, VALUE_GAIN * tf.repeat(mean, 5, axis=1), atol=1e-5)


def test_token_bias_is_the_log_of_the_shares(table):
    model = small_model()
    set_token_bias(model, table)
    shares = np.exp(model.named_layers["masked_lm"].bias.numpy())
    assert shares.sum() == pytest.approx(1.0, rel=1e-4)
    # Each text says [CLS] and [SEP] once, and "a", "with" and "buttons" once.
    cls, sep, word = (Vocabulary().tokens.index(token) for token in ("[CLS]", "[SEP]", "buttons"))
    assert shares[cls] == pytest.approx(shares[sep]) == pytest.approx(shares[word])
    never = Vocabulary().tokens.index("zoo")
    assert shares[never] == pytest.approx(shares[cls] / len(table) / 10, rel=1e-3)
