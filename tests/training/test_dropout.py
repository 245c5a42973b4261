import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.training.dropout import StepDropout
from tests.tiny_models import random_feed, tiny_config


def dropped(step, seed=1, number=0, layers=None):
    layers = layers or [tf_keras.layers.Dropout(0.5), tf_keras.layers.Dropout(0.5)]
    source = StepDropout(layers)
    source.at(seed, tf.constant(step))
    return layers[number](tf.ones([9, 40]), training=True).numpy()


def test_a_function_of_seed_step_and_layer():
    np.testing.assert_array_equal(dropped(7), dropped(7))
    assert not np.array_equal(dropped(7), dropped(8))
    assert not np.array_equal(dropped(7), dropped(7, seed=2))
    assert not np.array_equal(dropped(7), dropped(7, number=1))


def test_rate_and_scale_are_those_of_dropout():
    values = dropped(3)
    assert set(np.unique(values)) == {0.0, 2.0}
    assert 0.4 < (values == 0).mean() < 0.6


def test_step_must_be_named():
    layer = tf_keras.layers.Dropout(0.5)
    StepDropout([layer])
    with pytest.raises(RuntimeError, match="must name the step"):
        layer(tf.ones([2, 3]), training=True)


def test_every_dropout_of_the_model_is_taken_over():
    config = tiny_config(hidden_dropout_prob=0.3, attention_probs_dropout_prob=0.2)
    model = KaleidoBert(config, text_length=7)
    _ = model.pretrainer  # makes the layers inside the encoder's blocks
    source = StepDropout(list(model.named_layers.values()))
    # text 1; each level 2 (input, output); each of the two encoder layers: attention, its output,
    # inner, output (tf-models-official keeps one more inside the attention layer itself).
    assert source.count >= 1 + 2 * 5 + 2 * 4
    feed = random_feed(model.pretrainer, rows=2)

    def total(step):
        source.at(1, tf.constant(step))
        return float(model.pretrainer(feed, training=True)["losses"]["masked_lm_loss"].total)

    assert total(4) == total(4) != total(5)
