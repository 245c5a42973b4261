import h5py
import numpy as np
import pytest
import tensorflow as tf

from data_prep.features.backbones import build_backbone
from data_prep.features.hdf5_weights import load_hdf5_weights
from kaleido_tf.errors import InputError


@pytest.fixture(scope="module")
def squeezenet():
    return build_backbone("squeezenet", "random")


def write_keras_hdf5(model, path, change=lambda name, arrays: arrays):
    """A weight file of the layout that Keras 1 and 2 write: `layer_names`, then `weight_names` of
    each layer.
    """
    with h5py.File(path, "w") as file:
        layers = [layer for layer in model.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            arrays = change(layer.name, layer.get_weights())
            names = [f"{layer.name}/{part}:0" for part in ("kernel", "bias")][: len(arrays)]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, arrays):
                group[name] = array
    return path


def test_squeezenet_takes_any_patch_size(squeezenet):
    assert squeezenet.feature_size == 512
    for height, width in ((31, 47), (64, 33)):
        features = squeezenet.extract(tf.zeros([2, height, width, 3], tf.uint8))
        assert features.shape == (2, 512)


def test_squeezenet_has_the_public_number_of_parameters(squeezenet):
    # SqueezeNet 1.1 without its classifier.
    assert squeezenet.model.count_params() == 722_496


def test_colours_are_turned_to_bgr_minus_the_imagenet_mean(squeezenet):
    image = np.random.default_rng(0).integers(0, 256, [1, 40, 35, 3], np.uint8)
    by_hand = image[..., ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    np.testing.assert_allclose(
        squeezenet.extract(tf.constant(image)), squeezenet.model(by_hand), rtol=1e-4, atol=1e-4
    )


def test_random_weights_follow_their_seed(squeezenet):
    assert build_backbone("squeezenet", "random").digest == squeezenet.digest
    assert build_backbone("squeezenet", "random", seed=1).digest != squeezenet.digest


def test_weight_file_is_loaded_by_name_and_shape(squeezenet, tmp_path):
    path = write_keras_hdf5(
        squeezenet.model, tmp_path / "w.h5", lambda _, arrays: [a + 1 for a in arrays]
    )
    loaded = build_backbone("squeezenet", str(path))
    for ours, before in zip(loaded.model.get_weights(), squeezenet.model.get_weights()):
        np.testing.assert_array_equal(ours, before + 1)
    assert loaded.digest != squeezenet.digest


def test_file_that_does_not_fit_changes_nothing(tmp_path):
    model = build_backbone("squeezenet", "random", seed=3).model
    before = model.get_weights()
    path = write_keras_hdf5(
        model,
        tmp_path / "w.h5",
        lambda name, a: [a[0][:, :, :5], a[1]] if name == "fire9/squeeze1x1" else a,
    )
    with pytest.raises(
        InputError,
        match=r"layer fire9/squeeze1x1 needs \[\(1, 1, 512, 64\).*the file holds \[\(1, 1, 5, 64\)",
    ):
        load_hdf5_weights(model, path)
    path = write_keras_hdf5(model, tmp_path / "v.h5", lambda name, a: [] if name == "conv1" else a)
    with pytest.raises(InputError, match=r"layer conv1 needs .* the file holds nothing"):
        load_hdf5_weights(model, path)
    for now, then in zip(model.get_weights(), before):
        np.testing.assert_array_equal(now, then)


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(InputError, match="Not found: .*gone.h5"):
        build_backbone("squeezenet", str(tmp_path / "gone.h5"))
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(InputError, match="must be a Keras HDF5 file. Received: .*text.h5"):
        build_backbone("squeezenet", str(tmp_path / "text.h5"))


def test_unknown_name_lists_the_known(tmp_path):
    with pytest.raises(InputError, match="squeezenet or one of .*ResNet50.*Received: resnet51"):
        build_backbone("resnet51", "random")


def test_squeezenet_has_no_download():
    with pytest.raises(InputError, match="needs --backbone_weights=PATH"):
        build_backbone("squeezenet", "imagenet")


def test_download_that_fails_is_explained(monkeypatch):
    from tf_keras.src.applications import resnet

    def refuse(*args, **kwargs):
        raise Exception("URL fetch failure on https://example.invalid: None -- no network")

    monkeypatch.setattr(resnet.data_utils, "get_file", refuse)
    with pytest.raises(
        InputError,
        match=(
            "ImageNet weights of resnet50 could not be had: URL fetch"
            " failure.*--backbone_weights=random"
        ),
    ):
        build_backbone("resnet50", "imagenet")


def test_resnet50_gives_2048_floats():
    backbone = build_backbone("resnet50", "random")
    assert backbone.feature_size == 2048
    image = tf.cast(tf.random.stateless_uniform([2, 51, 40, 3], [1, 2], 0, 255, tf.int32), tf.uint8)
    features = backbone.extract(image)
    assert features.shape == (2, 2048) and np.isfinite(features.numpy()).all()


@pytest.mark.parametrize("name, size", [("mobilenetv2", 1280), ("InceptionV3", 2048)])
def test_any_application_by_name_down_to_its_smallest_side(name, size):
    backbone = build_backbone(name, "random")
    assert backbone.feature_size == size
    side = backbone.sizes.smallest
    assert backbone.extract(tf.zeros([1, side, side + 3, 3], tf.uint8)).shape == (1, size)
