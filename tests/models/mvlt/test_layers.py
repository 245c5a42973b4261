"""What each part of the release computes on the way, and what chance does in training."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.models.mvlt.blocks import PyramidBlock
from kaleido_tf.models.mvlt.decoder import NormalisedConvolution
from kaleido_tf.models.mvlt.embeddings import PADDING, StageEmbedding, WordEmbedding
from kaleido_tf.models.mvlt.heads import FirstWordClassifier
from kaleido_tf.models.mvlt.layers import STAGES, make_layers
from kaleido_tf.models.mvlt.original import decoder_parts
from kaleido_tf.models.mvlt.resizing import resize
from tests.mvlt_golden import (
    arrays,
    batch_of,
    channels_first,
    config,
    encoder_feed,
    heads_on,
    shared_model,
)

PREFIX = "sq96/clean/act/"


def modules_of(model):
    """What the release calls its modules -> our layers."""
    layers = model.named_layers
    modules = {
        "text_embeddings": layers["text_embedding"],
        "mlm_head_embed": layers["masked_lm_adapter"],
        "mlm_head.transform": layers["masked_lm"].layer_norm,
        "itm_head_embed": layers["next_sentence"].adapter,
        "t2i_head.score.0": layers["image"].colours,
        **{f"t2i_head.{name}": part for name, part in decoder_parts(layers["image"]).items()},
    }
    for stage in STAGES:
        embedding = layers[f"stage_{stage}_embedding"]
        modules[f"patch_embed{stage}"] = embedding.patch_norm
        modules[f"text_embed{stage}"] = embedding.text_norm
        for number, block in enumerate(model.blocks_of(stage)):
            scope = f"block{stage}.{number}"
            modules |= {scope: block, f"{scope}.attn": block.attention}
            modules |= {f"{scope}.norm1": block.attention_norm, f"{scope}.mlp": block.feed_forward}
            if block.attention.ratio > 1:
                modules[f"{scope}.attn.sr"] = block.attention.reduction
                modules[f"{scope}.attn.norm"] = block.attention.reduction_norm
    return modules


def test_what_every_part_computes(monkeypatch):
    model, outputs = shared_model("sq96"), {}
    call = tf_keras.layers.Layer.__call__

    def recording(layer, *args, **kwargs):
        outputs[id(layer)] = call(layer, *args, **kwargs)
        return outputs[id(layer)]

    encoder = model.encoder
    monkeypatch.setattr(tf_keras.layers.Layer, "__call__", recording)
    heads_on(model, encoder(encoder_feed(batch_of("sq96", "clean"))))
    modules = modules_of(model)
    names = [key.removeprefix(PREFIX) for key in arrays("reduced_outputs") if PREFIX in key]
    assert len(names) == 40
    for name in names:
        expected = arrays("reduced_outputs")[PREFIX + name]
        ours = channels_first(outputs[id(modules[name])]).reshape(expected.shape)
        assert np.abs(ours - expected).max() <= 1e-5 * np.abs(expected).max(), name


def test_blocks_are_skipped_for_some_examples_in_training():
    block = PyramidBlock(6, 2, 3, 2, 0.4, 0.5)
    hidden = tf.random.stateless_normal([200, 2 * 4 + 3, 6], [1, 2])
    block(hidden, grid=(2, 4))
    for part in (block.attention.output_projection, block.feed_forward.output_projection):
        part.kernel.assign(tf.zeros_like(part.kernel))
        part.bias.assign(tf.ones_like(part.bias))
    added = (block(hidden, grid=(2, 4), training=True) - hidden).numpy()
    assert np.ptp(added, axis=(1, 2)).max() < 1e-5  # whole examples
    counts = added[:, 0, 0] * 0.6  # 0, 1 or 2 parts were kept, and enlarged
    assert set(counts.round(3)) == {0.0, 1.0, 2.0}
    assert counts.mean() == pytest.approx(1.2, abs=0.15)
    np.testing.assert_allclose(block(hidden, grid=(2, 4)) - hidden, 2.0, rtol=1e-5)


def test_skipping_grows_from_block_to_block():
    layers = make_layers(config(depths=(1, 2, 1, 1), drop_path_prob=0.2))
    blocks = [layer for name, layer in layers.items() if "_block_" in name]
    rates = [[block.attention_drop.rate, block.feed_forward_drop.rate] for block in blocks]
    np.testing.assert_allclose(rates, np.array([[0, 0.05, 0.1, 0.15, 0.2]] * 2).T)


def test_remainder_of_the_grid_is_left_out_of_the_reduced_image():
    attention = PyramidBlock(4, 2, 3, 2, 0.0, 0.5).attention
    hidden = tf.random.stateless_normal([1, 3 * 5 + 2, 4], [3, 4])
    assert attention(hidden, grid=(3, 5)).shape == hidden.shape
    assert attention._reduced(hidden, (3, 5)).shape == [1, 1 * 2 + 2, 4]


def test_padding_is_embedded_and_not_trained_there():
    embedding = WordEmbedding(7, 4, 5, 2, 0.0, 0.5)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(embedding(tf.constant([[3, PADDING, 3]])) ** 3)
    gradient = tf.convert_to_tensor(tape.gradient(total, embedding.word_embeddings)).numpy()
    assert np.abs(gradient[3]).min() > 0 and not gradient[[0, 1, 2, 4, 5, 6]].any()


def test_resizing_by_hand():
    row = tf.reshape(tf.constant([0.0, 6.0, 2.0]), [1, 1, 3, 1])
    corners = resize(row, (1, 5), align_corners=True)
    np.testing.assert_allclose(tf.reshape(corners, [-1]), [0, 3, 6, 4, 2], atol=1e-6)
    centres = resize(row, (2, 6), align_corners=False)
    one = [0, 1.5, 4.5, 5, 3, 2]
    np.testing.assert_allclose(centres[0, :, :, 0], [one, one], atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        PyramidBlock(6, 2, 3, 2, 0.4, 0.5),
        StageEmbedding(6, 3, 5, 2, 4, 1, 0.5),
        FirstWordClassifier(7, 5, 0.5),
        NormalisedConvolution(3, 5),
    ],
)
def test_layers_are_made_again_from_their_config(layer):
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(("given", "positions"), [({}, 0.02), ({"position_range": 1.0}, 1.0)])
def test_words_and_places_start_as_the_config_says(given, positions):
    """The release draws places fifty times as far apart as words."""
    embedding = WordEmbedding(300, 16, 200, 40, 0.0, 0.02, **given)
    assert np.std(embedding.word_embeddings) == pytest.approx(0.02, rel=0.05)
    for table in (embedding.position_embeddings, embedding.segment_embeddings):
        assert np.std(table) == pytest.approx(positions, rel=0.1)
