"""The captioner's network: one step and the whole caption agree, the loss by hand, its file. All
sizes differ.
"""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from data_prep.alignment.show_attend_tell import (
    END,
    PAD,
    START,
    UNKNOWN,
    Captioner,
    caption_loss,
    inputs_of,
    load_captioner,
    save_captioner,
    targets_of,
)
from data_prep.foreground.saliency import UNetSettings, build_unet, save_saliency
from kaleido_tf.errors import InputError
from tests.tiny_captioner import SETTINGS, VOCABULARY


@pytest.fixture(scope="module")
def model():
    tf_keras.utils.set_random_seed(3)
    return Captioner(SETTINGS, dropout=0.5)


@pytest.fixture(scope="module")
def maps():
    return tf.constant(np.random.default_rng(1).normal(size=[2, 3, 3, 6]), tf.float32)


def test_pieces_begin_with_the_special_ones():
    assert SETTINGS.pieces == (
        VOCABULARY.pad_id,
        VOCABULARY.cls_id,
        VOCABULARY.sep_id,
        VOCABULARY.unk_id,
        2005,
        3000,
        4000,
    )


def test_targets_and_inputs():
    targets = targets_of([[4000, 2005, 99], [3000], list(range(2005, 2030))], SETTINGS)
    assert targets.shape == (3, 9)  # the longest pieces and the end
    assert targets[0].tolist() == [6, 4, UNKNOWN, END, *[PAD] * 5] and targets[1].tolist() == [
        5,
        END,
        *[PAD] * 7,
    ]
    assert targets[2].tolist() == [4, *[UNKNOWN] * 7, END]
    assert inputs_of(targets)[0].tolist() == [START, 6, 4, UNKNOWN, END, *[PAD] * 4]


def test_step_by_step_is_the_whole_caption(model, maps):
    inputs = np.array([[START, 4, 6, 5], [START, 6, 6, 4]], np.int32)
    logits, attention = model(maps, inputs)
    assert logits.shape == (2, 4, 7) and attention.shape == (2, 4, 9)
    np.testing.assert_allclose(tf.reduce_sum(attention, -1), np.ones([2, 4]), rtol=1e-5)
    assert np.ptp(attention.numpy(), axis=-1).min() > 1e-4  # it looks somewhere
    places, projected, states = model.begin(maps)
    for number in range(4):
        found, looked, states = model.step(
            tf.constant(inputs[:, number]), states, places, projected
        )
        np.testing.assert_allclose(
            found, tf.nn.log_softmax(logits[:, number]), rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(looked, attention[:, number], rtol=1e-4, atol=1e-6)


def test_dropout_is_a_function_of_its_seed(model, maps):
    inputs = np.array([[START, 4], [START, 6]], np.int32)
    one, same, other = (
        model(maps, inputs, tf.constant(seed, tf.int64))[0].numpy()
        for seed in ([1, 2], [1, 2], [1, 3])
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3 and np.abs(one - model(maps, inputs)[0]).max() > 1e-3


def test_loss_by_hand():
    generator = np.random.default_rng(2)
    logits, targets = generator.normal(size=[2, 3, 5]), np.array([[4, END, PAD], [3, 4, END]])
    attention = generator.dirichlet(np.ones(6), size=[2, 3])
    total, entropy = caption_loss(
        tf.constant(logits, tf.float32), tf.constant(attention, tf.float32), targets, 0.7
    )
    logarithms = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = -np.mean(
        [
            logarithms[0, 0, 4],
            logarithms[0, 1, END],
            logarithms[1, 0, 3],
            logarithms[1, 1, 4],
            logarithms[1, 2, END],
        ]
    )
    uneven = ((attention[0, :2].sum(0) - 2 / 6) ** 2).sum() + (
        (attention[1].sum(0) - 3 / 6) ** 2
    ).sum()
    assert float(entropy) == pytest.approx(wanted, rel=1e-5)
    assert float(total) == pytest.approx(wanted + 0.7 * uneven / 5, rel=1e-5)


def test_file_gives_the_same_captioner(model, maps, tmp_path):
    save_captioner(tmp_path / "captioner.safetensors", model)
    again = load_captioner(tmp_path / "captioner.safetensors")
    assert again.settings == SETTINGS
    inputs = np.array([[START, 4], [START, 6]], np.int32)
    np.testing.assert_array_equal(again.model(maps, inputs)[0], model(maps, inputs)[0])
    assert again.digest == load_captioner(tmp_path / "captioner.safetensors").digest
    model._of_seen.kernel.assign_add(tf.ones_like(model._of_seen.kernel))
    save_captioner(tmp_path / "other.safetensors", model)
    assert again.digest != load_captioner(tmp_path / "other.safetensors").digest


def test_other_files_and_settings_are_refused(tmp_path):
    with pytest.raises(
        InputError,
        match="A captioner .a file that data_prep.train_captioner wrote. is needed. Not found",
    ):
        load_captioner(tmp_path / "gone.safetensors")
    unet = UNetSettings(width=2, side=32)
    save_saliency(tmp_path / "unet.safetensors", unet, build_unet(unet))
    with pytest.raises(
        InputError, match="A captioner .* says that it is 'saliency U-Net of kaleido_tf'"
    ):
        load_captioner(tmp_path / "unet.safetensors")
    with pytest.raises(InputError, match="sizes must be at least 1"):
        dataclasses.replace(SETTINGS, units=0)
