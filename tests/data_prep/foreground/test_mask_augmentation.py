"""Photo and mask stay together however they are drawn."""

import numpy as np
import pytest

from data_prep.foreground import mask_augmentation
from data_prep.foreground.mask_augmentation import Example, drawn, place, read_mask_examples
from data_prep.foreground.mask_files import find_pairs
from data_prep.foreground.saliency import letter_box
from kaleido_tf.errors import InputError
from tests import drawn_photos


@pytest.fixture
def example():
    """Red where the mask is 1, black elsewhere."""
    _, mask = drawn_photos.draw(4)
    return Example("e", mask[..., None] * np.array([255, 0, 0], np.uint8), mask.astype(np.uint8))


def redness(image):
    """[H, W, 3] -> [H, W]: large on the foreground, near 0 on black and on every grey."""
    return image[..., 0].astype(int) - image[..., 1]


def test_placed_photo_is_the_letter_boxed_one(example):
    image, mask, valid = place(example, 96)
    boxed, where = letter_box(example.image, 96)
    inside = np.zeros((96, 96), bool)
    inside[where] = True
    assert np.abs(valid.astype(int) - inside).mean() < 0.015  # half a pixel along two edges
    assert np.abs(image.astype(int) - boxed)[inside & (valid > 0)].mean() < 6
    assert ((redness(boxed) > 127) == (mask > 0))[inside].mean() > 0.98


def test_mask_follows_its_photo(example):
    for seed in range(20):
        image, mask, valid = drawn(example, 80, np.random.default_rng(seed))
        assert image.shape == (80, 80, 3) and mask.shape == valid.shape == (80, 80)
        assert image.dtype == mask.dtype == valid.dtype == np.uint8
        assert not mask[valid == 0].any() and valid.mean() > 0.2
        agree = (redness(image) > redness(image).max() / 2) == (mask > 0)
        assert mask.any() and agree[valid > 0].mean() > 0.97


def test_views_differ_and_follow_the_generator(example):
    one, same, other = (drawn(example, 64, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.1


def test_backdrop_is_light_and_takes_nothing_of_the_product(example, monkeypatch):
    monkeypatch.setattr(mask_augmentation, "BACKDROP", 1.0)
    monkeypatch.setattr(mask_augmentation, "COLOUR", 0.0)
    for seed in range(10):
        image, mask, valid = drawn(example, 80, np.random.default_rng(seed))
        # beside the product its colour shines through
        behind = image[(mask == 0) & (valid > 0) & (redness(image) < 40)].astype(int)
        assert behind.mean() > 110 and behind.std(axis=0).max() < 45
        assert redness(image)[mask > 0].mean() > 180
        if (valid == 0).mean() > 0.1:
            rim = np.abs(image[valid == 0].astype(int) - (124, 117, 104)).max(axis=1)
            # the rest is where the photo's outermost pixels run into it
            assert (rim <= 1).mean() > 0.8


def test_examples_are_read_and_shrunk(tmp_path):
    photos, masks = drawn_photos.write(tmp_path, 3)
    examples = read_mask_examples(find_pairs(str(photos), str(masks), "mask"), 32)
    for number, example in enumerate(examples):
        image, mask = drawn_photos.draw(number)
        assert max(example.image.shape) == 40 and example.mask.shape == example.image.shape[:2]
        assert abs(example.mask.mean() - mask.mean()) < 0.02
    (photos / "p01.png").write_text("no photo")
    with pytest.raises(InputError, match=r"p01.png \(mask of p01.png\)"):
        read_mask_examples(find_pairs(str(photos), str(masks), "mask"), 32)
