"""The network's shapes, its file, and what the file refuses."""

import json

import h5py
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from data_prep.features.backbones import build_backbone
from data_prep.foreground import saliency
from data_prep.foreground.saliency import (
    SaliencyNet,
    UNetSettings,
    build_unet,
    letter_box,
    load_encoder_weights,
    load_saliency,
    save_saliency,
)
from kaleido_tf.errors import InputError
from kaleido_tf.files.safetensors_file import SafetensorsFile, write_safetensors

SETTINGS = UNetSettings(width=2, side=48)


@pytest.fixture(scope="module")
def network():
    tf_keras.utils.set_random_seed(3)
    return SaliencyNet(SETTINGS, build_unet(SETTINGS))


@pytest.fixture
def saved(network, tmp_path):
    save_saliency(tmp_path / "net.safetensors", SETTINGS, network.model)
    return tmp_path / "net.safetensors"


def photos():
    generator = np.random.default_rng(2)
    return [
        generator.integers(0, 256, (*size, 3), np.uint8)
        for size in ((31, 70), (90, 53), (1, 2), (200, 3))
    ]


def rewritten(saved, path, change=lambda tensors: None, metadata=None):
    """A copy of the file with changed tensors or metadata."""
    file = SafetensorsFile(saved)
    tensors = {name: file.read(name) for name in file.shapes}
    change(tensors)
    write_safetensors(path, tensors, file.metadata if metadata is None else metadata)
    return path


@pytest.mark.parametrize("encoder", saliency.ENCODERS)
def test_logits_are_as_large_as_the_picture(encoder):
    model = build_unet(UNetSettings(encoder, width=3, side=32))
    assert model(tf.zeros([2, 32, 48, 3])).shape == (2, 32, 48, 1)


@pytest.mark.parametrize("encoder", saliency.ENCODERS)
def test_default_network_is_small(encoder):
    assert 0.5e6 < build_unet(UNetSettings(encoder)).count_params() < 2e6


def test_masks_have_the_photos_sizes_whatever_the_batch(network, monkeypatch):
    together = network.masks(photos())
    monkeypatch.setattr(saliency, "_BATCH", 3)
    for photo, mask, other in zip(photos(), together, network.masks(photos())):
        assert mask.shape == photo.shape[:2] and mask.dtype == np.float32
        assert mask.min() >= 0 and mask.max() <= 1
        np.testing.assert_allclose(mask, other, atol=1e-5)
    np.testing.assert_allclose(network.masks(photos()[1:2])[0], together[1], atol=1e-5)
    assert network.masks([]) == []


def test_letter_box_keeps_the_proportion():
    image = np.full((20, 80, 3), 200, np.uint8)
    square, (rows, columns) = letter_box(image, 48)
    assert (rows, columns) == (slice(18, 30), slice(0, 48))  # 12 of 48 rows, in the middle
    assert (square[rows, columns] == 200).all() and (square[:18] == (124, 117, 104)).all()


def test_file_gives_the_same_network(network, saved):
    loaded = load_saliency(saved)
    assert (
        loaded.settings == SETTINGS and loaded.digest == network.digest and len(loaded.digest) == 64
    )
    for one, other in zip(loaded.masks(photos()), network.masks(photos())):
        np.testing.assert_array_equal(one, other)


def test_digest_follows_weights_and_side(network):
    other = build_unet(SETTINGS)
    other.set_weights(network.model.get_weights())
    assert SaliencyNet(SETTINGS, other).digest == network.digest
    assert SaliencyNet(UNetSettings(width=2, side=64), other).digest != network.digest
    bias = other.get_layer("logits").weights[1]
    bias.assign(bias + 1)
    assert SaliencyNet(SETTINGS, other).digest != network.digest


def test_files_that_do_not_fit_are_refused(saved, tmp_path):
    def squeeze(tensors):
        tensors["decode8a/kernel"] = tensors["decode8a/kernel"][..., :5]

    def spoil(tensors):
        tensors["logits/bias"] = np.array([np.nan], np.float32)

    other = tmp_path / "other.safetensors"
    for change, message in [
        (squeeze, r"decode8a/kernel needs \(3, 3, 24, 16\), the file holds \(3, 3, 24, 5\)"),
        (
            lambda tensors: tensors.pop("logits/bias"),
            r"logits/bias needs \(1,\), the file holds nothing",
        ),
        (
            lambda tensors: tensors.update(more=np.zeros(7, np.float32)),
            r"more needs nothing, the file holds \(7,\)",
        ),
        (spoil, "must be finite numbers. Received: NaN or infinity in logits/bias"),
    ]:
        with pytest.raises(InputError, match=message):
            load_saliency(rewritten(saved, other, change))


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            '{"encoder": "vgg", "width": 2, "side": 48}',
            "`encoder` must be one of plain, squeezenet. Received: 'vgg'",
        ),
        ('{"width": 2, "side": 47}', "`side` must be a multiple of 16"),
        ('{"width": 4000, "side": 48}', "`width` must be a number of channels"),
        ('{"layers": 3}', "its settings cannot be used"),
        ("no JSON", "its settings cannot be used"),
        ("[1, 2]", "its settings cannot be used"),
    ],
)
def test_settings_in_a_file_are_checked(saved, tmp_path, settings, message):
    metadata = {**SafetensorsFile(saved).metadata, "settings": settings}
    with pytest.raises(InputError, match=message):
        load_saliency(rewritten(saved, tmp_path / "other.safetensors", metadata=metadata))


def test_foreign_files_are_refused(saved, tmp_path):
    with pytest.raises(InputError, match="Not found: .*gone"):
        load_saliency(tmp_path / "gone")
    with pytest.raises(InputError, match="says that it is 'nothing'"):
        load_saliency(rewritten(saved, tmp_path / "other.safetensors", metadata={}))
    (tmp_path / "text").write_text("hello")
    with pytest.raises(InputError, match="safetensors file is needed. .*text cannot be read"):
        load_saliency(tmp_path / "text")
    (tmp_path / "half").write_bytes(saved.read_bytes()[:-9])
    with pytest.raises(InputError, match="half cannot be read"):
        load_saliency(tmp_path / "half")


def test_wrong_kind_of_picture(network):
    with pytest.raises(InputError, match=r"shape \(5, 4\), float64"):
        network.masks([np.zeros((5, 4))])


def test_encoder_takes_the_public_weights_by_layer_name(tmp_path):
    public = build_backbone("squeezenet", "random", seed=5).model
    with h5py.File(tmp_path / "w.h5", "w") as file:
        layers = [layer for layer in public.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [
                f"{layer.name}/{part}:0".encode() for part in ("kernel", "bias")
            ]
            for part, array in zip(("kernel", "bias"), layer.get_weights()):
                group[f"{layer.name}/{part}:0"] = array
    model = build_unet(UNetSettings("squeezenet", width=2, side=32))
    load_encoder_weights(model, tmp_path / "w.h5")
    for layer in layers:
        for ours, theirs in zip(model.get_layer(layer.name).get_weights(), layer.get_weights()):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(InputError, match="need --encoder=squeezenet"):
        load_encoder_weights(build_unet(SETTINGS), tmp_path / "w.h5")
    with pytest.raises(InputError, match="Not found: .*gone.h5"):
        load_encoder_weights(model, tmp_path / "gone.h5")


def test_settings_stand_in_the_file_as_json(saved):
    assert json.loads(SafetensorsFile(saved).metadata["settings"]) == {
        "encoder": "plain",
        "width": 2,
        "side": 48,
    }
