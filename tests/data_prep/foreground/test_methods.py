"""The crop box is found on drawn pictures whose product's place is known. All sizes differ."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data_prep.foreground import border_contrast
from data_prep.foreground.crops import Crop, crop_of_mask
from data_prep.foreground.methods import METHODS, find_crop, foreground_mask
from kaleido_tf.errors import InputError

WIDTH, HEIGHT = 190, 251
BOX = (41, 132, 60, 223)  # x1, x2, y1, y2


def draw_photo(background, product, box=BOX):
    """[HEIGHT, WIDTH, 3] uint8: an ellipse of colour `product` that fills `box`."""
    image = Image.new("RGB", (WIDTH, HEIGHT), background)
    x1, x2, y1, y2 = box
    ImageDraw.Draw(image).ellipse((x1, y1, x2 - 1, y2 - 1), fill=product)
    return np.asarray(image)


def assert_close(box, expected, loose=7):
    """`box` holds all of `expected` and at most `loose` pixels more a side: the margin, the smaller
    working size.
    """
    for found, true, outwards in zip(box, expected, (-1, 1, -1, 1)):
        assert 0 <= outwards * (found - true) <= loose, (box, expected)


@pytest.mark.parametrize("method", ["border", "grabcut"])
@pytest.mark.parametrize(
    "background, product",
    [
        ((255, 255, 255), (25, 25, 30)),
        ((232, 232, 230), (252, 252, 252)),
        ((240, 238, 235), (180, 40, 60)),
    ],
    ids=["dark on white", "white on light grey", "red on light grey"],
)
def test_plain_background(method, background, product):
    crop = find_crop(draw_photo(background, product), method)
    assert not crop.fallback and not crop.reason
    assert_close(crop.box, BOX)


def test_gradient_is_background():
    slope = np.linspace(-35, 15, WIDTH)[None, :, None] + np.linspace(10, -30, HEIGHT)[:, None, None]
    image = draw_photo((230, 230, 230), (40, 90, 160)).astype(float) + slope
    assert_close(find_crop(np.clip(image, 0, 255).astype(np.uint8)).box, BOX)


def test_noise_is_background():
    noise = np.random.default_rng(3).normal(0, 7, (HEIGHT, WIDTH, 3))
    image = draw_photo((225, 225, 225), (60, 130, 70)) + noise
    assert_close(find_crop(np.clip(image, 0, 255).astype(np.uint8)).box, BOX)


def test_thin_strap_and_hole_belong_to_the_product():
    image = draw_photo((240, 240, 240), (150, 90, 40)).copy()
    image[20:62, 84:87] = (150, 90, 40)  # a strap above the bag
    image[120:150, 70:100] = (240, 240, 240)  # a hole in it, with the background's colour
    mask = foreground_mask(image)
    assert mask[135, 85]
    assert_close(find_crop(image).box, (BOX[0], BOX[1], 20, BOX[3]))


def test_two_pieces_are_both_inside():
    image = draw_photo((245, 245, 245), (200, 30, 90), (20, 63, 30, 75)).copy()
    image[190:230, 120:171] = (30, 60, 200)
    assert_close(find_crop(image).box, (20, 171, 30, 230))


def test_product_that_leaves_the_photo_keeps_that_edge():
    image = draw_photo((240, 240, 240), (90, 40, 120), (55, 131, 80, 290))
    x1, x2, y1, y2 = find_crop(image).box
    assert y2 == HEIGHT
    assert_close((x1, x2, y1, y2), (55, 131, 80, HEIGHT))


@pytest.mark.parametrize("method", ["border", "grabcut"])
def test_busy_background(method):
    """Blocks of four colours around a disc of another one: the box is rough, but about the disc."""
    tiles = np.random.default_rng(5).integers(0, 4, (HEIGHT // 12 + 1, WIDTH // 12 + 1))
    colours = np.array([(60, 120, 60), (90, 140, 70), (120, 110, 60), (50, 90, 80)], np.uint8)
    image = colours[tiles].repeat(12, axis=0).repeat(12, axis=1)[:HEIGHT, :WIDTH].copy()
    disc = draw_photo((0, 0, 0), (240, 60, 200)).any(axis=2)
    image[disc] = (240, 60, 200)
    assert not border_contrast.mask_against_border(image)[1]
    assert_close(find_crop(image, method).box, BOX, loose=16)


@pytest.mark.parametrize("method", ["border", "grabcut"])
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (1, 1), (2, 3)])
def test_blank_picture_falls_back_and_says_so(method, size):
    crop = find_crop(np.full((*size, 3), 200, np.uint8), method)
    assert crop.box == (0, size[1], 0, size[0])
    assert crop.fallback and "covers less than 0.2% of the picture" in crop.reason


def test_mask_that_swallows_the_picture_falls_back():
    mask = np.ones((7, 5), bool)
    assert crop_of_mask(mask) == Crop(
        (0, 5, 0, 7), True, "the mask covers more than 95% of the picture"
    )
    mask[1:-1, 1:-1] = False
    assert "all four edges" in crop_of_mask(mask).reason


def test_none_keeps_the_picture_without_falling_back():
    assert find_crop(draw_photo("white", "black"), "none") == Crop((0, WIDTH, 0, HEIGHT), False)


def test_margin_of_a_mask():
    """2% of the sides 150 and 40 are 3 and 1 pixels."""
    mask = np.zeros((70, 200), bool)
    mask[20:60, 30:180] = True
    assert crop_of_mask(mask).box == (27, 183, 19, 61)


@pytest.mark.parametrize("method", list(METHODS))
def test_deterministic(method):
    image = np.random.default_rng(1).integers(0, 255, (53, 71, 3), np.uint8)
    image[10:40, 20:60] //= 4
    first, second = (foreground_mask(image, method) for _ in range(2))
    assert first.shape == (53, 71) and first.dtype == bool
    np.testing.assert_array_equal(first, second)


def test_minimum_barrier_distance_of_a_ring():
    """Every way from the edge into the ring climbs from 0 to 10; inside, coming down again costs
    nothing.
    """
    values = np.zeros((7, 9, 1), np.float32)
    values[1:-1, 1:-1] = 10
    values[3, 3:6] = 4
    expected = np.zeros((7, 9))
    expected[1:-1, 1:-1] = 10
    np.testing.assert_allclose(border_contrast.minimum_barrier_distance(values), expected)


def test_unknown_method_names_the_known_ones():
    with pytest.raises(InputError, match="must be one of none, .*, dithered. Received: 'u2net'"):
        find_crop(draw_photo("white", "black"), "u2net")


def test_wrong_kind_of_picture():
    with pytest.raises(InputError, match=r"shape \(5, 4\), float64"):
        find_crop(np.zeros((5, 4)))
