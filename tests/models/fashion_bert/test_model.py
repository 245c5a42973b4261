"""Golden parity of FashionBERT with the original implementation, within the tolerances of
tests/golden/README.md.
"""

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.weights import load_weights
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_config
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.fashion_bert.model import FashionBert
from tests.golden_batches import FASHION_BERT_LOGITS, blanked, fashion_bert_batch
from tests.golden_files import checkpoint_in, golden_folder, variable_shapes

LOSSES = {"masked_lm_loss": "mlm_loss", "next_sentence_loss": "nsp_loss", "image_loss": "mpm_loss"}


class Golden:
    """The golden model with the original's weights, its batch, the expected arrays, outputs and
    gradients.
    """

    def __init__(self, folder):
        self.folder = folder
        config = read_config(folder / "config.json")
        columns = dict(np.load(folder / "inputs.npz"))
        self.model = FashionBert(config, text_length=columns["input_ids"].shape[1])
        _ = self.model.pretrainer  # makes all weights
        load_weights(self.model, checkpoint_in(folder))
        self.batch = fashion_bert_batch(columns, config.patch_feature_size)
        self.expected = dict(np.load(folder / "outputs.npz"))
        with tf.GradientTape() as tape:
            self.outputs = self.model.pretrainer(self.batch, training=False)
            self.losses = {name: loss.mean() for name, loss in self.outputs["losses"].items()}
            self.total, self.weights = self.model.total(self.losses)
        entries = original_variables(self.model)
        gradients = tape.gradient(
            self.total, [e.variable for e in entries.values()], unconnected_gradients="zero"
        )
        self.gradients = {
            name: entry.to_original(tf.convert_to_tensor(gradient).numpy())
            for (name, entry), gradient in zip(entries.items(), gradients)
        }


@pytest.fixture(scope="module")
def golden():
    return Golden(golden_folder() / "fashionbert_tiny")


@pytest.mark.parametrize("name", FASHION_BERT_LOGITS)
def test_logits(golden, name):
    expected = golden.expected[FASHION_BERT_LOGITS[name]]
    np.testing.assert_allclose(
        golden.outputs["logits"][name].numpy().reshape(expected.shape),
        expected,
        atol=2e-5,
        rtol=1e-5,
    )


@pytest.mark.parametrize("name", LOSSES)
def test_losses(golden, name):
    np.testing.assert_allclose(
        golden.losses[name], golden.expected[LOSSES[name]], atol=2e-6, rtol=1e-5
    )


def test_adaptive_loss_and_its_weights(golden):
    np.testing.assert_allclose(golden.total, golden.expected["total_loss"], atol=2e-6, rtol=1e-5)
    for name, expected in zip(
        ("masked_lm_weight", "next_sentence_weight", "image_weight"), ("w0", "w1", "w2")
    ):
        np.testing.assert_allclose(
            golden.weights[name], golden.expected[expected], atol=2e-6, rtol=1e-5
        )


def test_every_gradient(golden):
    """Gradients flow through the adaptive weights."""
    expected = np.load(golden.folder / "grads.npz")
    assert set(expected) == set(golden.gradients)
    for name, gradient in golden.gradients.items():
        if name.endswith("self/key/bias"):  # mathematically zero: rounding noise only
            assert np.abs(gradient).max() < 1e-5
            continue
        tolerance = 1e-6 + 3e-5 * np.abs(expected[name]).max()
        assert np.abs(gradient - expected[name]).max() <= tolerance, name


def test_sequence_and_pooled_output(golden):
    feed = blanked(golden.batch, "patch_features", "masked_patch_positions")
    outputs = golden.model.encoder(
        {name: feed[name] for name in golden.model.encoder.input}, training=False
    )
    for name in ("sequence_output", "pooled_output"):
        np.testing.assert_allclose(outputs[name], golden.expected[name], atol=2e-5, rtol=1e-5)


def test_matcher_is_the_originals_predict_mode(golden):
    feed = {name: golden.batch[name] for name in golden.model.matcher.input}
    np.testing.assert_allclose(
        golden.model.matcher(feed), golden.expected["predict_nsp_logits"], atol=2e-5, rtol=1e-5
    )


def test_every_variable_of_the_original_is_known(golden):
    theirs = variable_shapes(golden.folder)
    assert {
        name: entry.original_shape for name, entry in original_variables(golden.model).items()
    } == theirs
    assert len(theirs) == len(golden.model.trainable_variables)


def test_hidden_patches_change_nothing(golden):
    """Unlike Kaleido-BERT's, FashionBERT's `image_mask` is used: what it hides is as if it were not
    there.
    """
    feed = {name: golden.batch[name] for name in golden.model.matcher.input}
    mask = np.ones(feed["patch_mask"].shape, np.int32)
    first_hidden = mask.shape[1] * 3 // 4
    mask[:, first_hidden:] = 0
    changed = feed["patch_features"].numpy().copy()
    changed[:, first_hidden:] = 7.0
    hidden = golden.model.matcher({**feed, "patch_mask": tf.constant(mask)})
    np.testing.assert_allclose(
        golden.model.matcher({**feed, "patch_mask": tf.constant(mask), "patch_features": changed}),
        hidden,
        atol=1e-6,
    )
    assert np.abs(hidden - golden.model.matcher(feed)).max() > 1e-4


def small_config():
    return FashionBertConfig(
        vocab_size=23,
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=11,
        patch_feature_size=5,
        max_patch_position_embeddings=16,
    )


def test_total_without_the_loss_of_images_is_refused():
    model = FashionBert(small_config(), tasks=(), text_length=7)
    with pytest.raises(InputError, match="--kaleido_tasks must hold image, or be left out"):
        model.total({"masked_lm_loss": tf.constant(1.0), "next_sentence_loss": tf.constant(2.0)})


def test_other_matching_weight_is_refused():
    config = small_config()
    with pytest.raises(InputError, match="--matching_weight must be 1. .*next_sentence 2"):
        FashionBert(config, text_length=7, loss_weights={"next_sentence": 2.0})
    FashionBert(config, text_length=7, loss_weights={"next_sentence": 1.0})
    with pytest.raises(
        InputError, match="--kaleido_tasks must be of image .*imagebert.*Received: jigsaw"
    ):
        FashionBert(config, ("jigsaw",), 7)
