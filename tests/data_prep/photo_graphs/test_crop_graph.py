import cv2
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from data_prep.foreground import border_contrast
from data_prep.foreground.crops import Crop
from data_prep.foreground.product_crops import NetworkCrops, Photo
from data_prep.foreground.saliency import SaliencyNet, UNetSettings
from data_prep.foreground.working_crops import crop_product, cut_crop
from data_prep.photo_graphs.border_graph import BorderGraph
from data_prep.photo_graphs.crop_graph import NetworkMask, working_crop
from data_prep.photo_graphs.regions import closed, large_regions, without_holes
from data_prep.sample.sample_catalogue import write_sample_catalogue
from kaleido_tf.files.images import read_image
from tests import drawn_photos

SIZE = 96


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Drawn products before plain backgrounds, two of them of other proportions."""
    folder = tmp_path_factory.mktemp("shop")
    write_sample_catalogue(folder, 12, valid_fraction=0.25)
    files = sorted((folder / "images").rglob("*.jpg"))[:8]
    pictures = [read_image(file, file.name) for file in files]
    return [*pictures, pictures[0][:, 20:170], pictures[1][30:].repeat(2, axis=0)]


def function_of(find_mask):
    spec = tf.TensorSpec([None, None, 3], tf.uint8)
    crop = lambda photo: working_crop(photo, find_mask, SIZE)  # noqa: E731
    return tf.function(crop, [spec], autograph=False)


def test_border_and_whole_photos_give_the_crops_of_records(photos):
    plain = [photo for photo in photos if border_contrast.mask_against_border(photo)[1]]
    assert len(plain) > 5
    graphs = {"border": function_of(BorderGraph()), "none": function_of(None)}
    for method, graph in graphs.items():
        for photo in plain:
            found, expected = graph(photo).numpy(), crop_product(photo, method, SIZE).pixels
            assert found.shape == expected.shape
            assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_photo_without_a_plain_background_fails():
    noisy = np.random.default_rng(1).integers(0, 256, (60, 50, 3)).astype(np.uint8)
    assert not border_contrast.mask_against_border(noisy)[1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="border is exported for plain"):
        function_of(BorderGraph())(noisy)


def test_a_photo_of_nothing_is_kept_whole():
    white = np.full((70, 52, 3), 250, np.uint8)
    found, expected = function_of(BorderGraph())(white), crop_product(white, "border", SIZE)
    assert expected.whole
    np.testing.assert_array_equal(found, expected.pixels)


def test_a_trained_network_gives_the_crops_of_records():
    inputs = tf_keras.layers.Input([None, None, 3])
    redness = tf_keras.layers.Conv2D(1, 1)
    model = tf_keras.Model(inputs, redness(inputs))
    redness.set_weights([np.float32([[[[0], [-0.05], [0.05]]]]), np.float32([-3])])
    network = SaliencyNet(UNetSettings(side=48), model)
    graph, wholes = function_of(NetworkMask(network)), 0
    for seed in range(6):
        image, _ = drawn_photos.draw(seed)
        [crop] = NetworkCrops(network).find([Photo(image, "p", "i", "here")])
        wholes += crop.box == Crop((0, image.shape[1], 0, image.shape[0]), True).box
        expected = cut_crop(image, crop, SIZE).pixels
        found = graph(image).numpy()
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).max() <= 1
    assert wholes == 0


@pytest.mark.parametrize("seed", range(3))
def test_regions_are_opencvs(seed):
    mask = np.random.default_rng(seed).random((30, 41)) < (0.35, 0.5, 0.65)[seed]
    large = border_contrast.large_components(mask, 0.3)
    np.testing.assert_array_equal(large_regions(tf.constant(mask), 0.3), large)
    grown = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    np.testing.assert_array_equal(closed(tf.constant(mask), 5), grown > 0)
    filled = mask.astype(np.uint8)
    outlines, _ = cv2.findContours(filled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(filled, outlines, -1, 1, thickness=cv2.FILLED)
    np.testing.assert_array_equal(without_holes(tf.constant(mask)), filled > 0)


def test_nothing_is_no_region():
    nothing = tf.zeros([5, 6], tf.bool)
    assert not large_regions(nothing, 0.1).numpy().any()
    assert not without_holes(nothing).numpy().any()
