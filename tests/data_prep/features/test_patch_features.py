import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from data_prep.features.backbones import build_backbone
from data_prep.features.input_sizes import InputSizes
from data_prep.features.patch_features import extract_features, to_grey
from data_prep.foreground.working_crops import crop_product, working_size
from kaleido_tf import patches


@dataclasses.dataclass
class MeanColour:
    """A backbone whose feature is the mean colour, so that every patch's feature can be computed by
    hand.
    """

    feature_size: int = 3
    sizes: InputSizes = InputSizes()
    calls: int = 0

    def extract(self, images):
        self.calls += 1
        return tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2])


@pytest.fixture
def crops():
    return np.random.default_rng(0).integers(0, 256, [2, 53, 37, 3], np.uint8)


def test_features_are_those_of_the_boxes(crops):
    features = extract_features(crops, MeanColour(), None)
    boxes = patches.kaleido_boxes(width=37, height=53)
    assert features["patch_features"].shape == (2, 55, 3)
    for number, (x1, x2, y1, y2, _) in enumerate(boxes):
        by_hand = crops[:, y1:y2, x1:x2].reshape(2, -1, 3).mean(1)
        np.testing.assert_allclose(features["patch_features"][:, number], by_hand, rtol=1e-5)


def test_grey_patches_are_those_of_level_four_without_colour(crops):
    grey = extract_features(crops, MeanColour(), None)["grey_features"]
    colour = extract_features(to_grey(crops), MeanColour(), None)["patch_features"][
        :, patches.level_slice("grey_to_color")
    ]
    assert grey.shape == (2, 16, 3)
    np.testing.assert_array_equal(grey, colour)
    np.testing.assert_allclose(grey[..., 0], grey[..., 1])


def test_grey_is_luminance():
    pixel = np.array([[[[100, 200, 50]]]], np.uint8)
    assert to_grey(pixel)[0, 0, 0].tolist() == [153] * 3  # 0.299 * 100 + 0.587 * 200 + 0.114 * 50


def test_rotations_are_counter_clockwise():
    @dataclasses.dataclass
    class TopLeft(MeanColour):
        def extract(self, images):
            return tf.cast(images[:, 0, 0], tf.float32)

    image = np.zeros([1, 40, 30, 3], np.uint8)
    image[0, 0, 0], image[0, 0, -1], image[0, -1, -1], image[0, -1, 0] = 10, 20, 30, 40
    turned = extract_features(image, TopLeft(), None)["rotated_features"][0, :, 0]
    # Turned counter-clockwise by a quarter, the upper right corner comes to the upper left.
    assert turned.tolist() == [20, 30, 40]


def test_resized_patches_go_through_in_one_batch_a_level(crops):
    backbone = MeanColour()
    resized = extract_features(crops, backbone, 32)["patch_features"]
    assert backbone.calls == 5 + 3 + 1
    native = extract_features(crops, MeanColour(), None)["patch_features"]
    assert np.abs(resized - native).mean() < 6  # the same patches, seen through another sampling


def test_batched_and_single_images_agree():
    backbone = build_backbone("squeezenet", "random")
    crops = np.random.default_rng(1).integers(0, 256, [3, 96, 80, 3], np.uint8)
    together = extract_features(crops, backbone, None)
    for number in range(3):
        alone = extract_features(crops[number : number + 1], backbone, None)
        for name in together:
            np.testing.assert_allclose(alone[name][0], together[name][number], rtol=1e-3, atol=1e-3)


def test_patches_too_small_for_the_backbone_are_enlarged():
    backbone = build_backbone("squeezenet", "random")
    features = extract_features(np.full([1, 128, 32, 3], 200, np.uint8), backbone, None)
    assert np.isfinite(features["patch_features"]).all()


@pytest.mark.parametrize(
    "size, expected",
    [
        ((300, 300), (256, 256)),
        ((150, 300), (128, 256)),
        ((310, 100), (256, 80)),
        ((10, 500), (64, 256)),
        ((254, 256), (256, 256)),
    ],
)
def test_working_size_keeps_the_proportion(size, expected):
    assert working_size(*size, crop_size=256) == expected


def test_crop_is_cut_and_scaled():
    image = np.full([120, 90, 3], 250, np.uint8)
    image[30:90, 20:50] = [200, 20, 30]
    crop = crop_product(image, "border", 128)
    x1, x2, y1, y2 = crop.box
    assert 14 <= x1 <= 20 and 50 <= x2 <= 56 and 24 <= y1 <= 30 and 90 <= y2 <= 96
    assert crop.image_size == (90, 120) and not crop.whole
    assert crop.pixels.shape[0] == 128 and crop.pixels.shape[1] in (64, 80)
    whole = crop_product(image, "none", 128)
    assert whole.box == (0, 90, 0, 120) and whole.pixels.shape == (128, 96, 3)
