"""Crops of many photos: each method's, those of a network, those of a folder of masks."""

import numpy as np
import pytest
import tf_keras
from PIL import Image

from data_prep.foreground import methods, product_crops
from data_prep.foreground.crops import crop_of_mask
from data_prep.foreground.methods import find_crop
from data_prep.foreground.product_crops import (
    Photo,
    build_crops,
    check_choice,
    crop_of_probabilities,
    product_mask,
)
from data_prep.foreground.saliency import UNetSettings, build_unet, load_saliency, save_saliency
from kaleido_tf.errors import InputError
from tests import drawn_photos


def photos(count=3):
    return [
        Photo(drawn_photos.draw(n)[0], f"P{n // 2}", f"P{n // 2}_{n % 2 + 1}", f"line {n}")
        for n in range(count)
    ]


def save(path, mask):
    Image.fromarray(np.asarray(mask).astype(np.uint8) * 255).save(path)


@pytest.mark.parametrize("method", list(methods.METHODS))
def test_weightless_methods_are_those_of_foreground(method):
    crops = build_crops(method)
    assert crops.identity == {}
    assert crops.find(photos()) == [find_crop(photo.image, method) for photo in photos()]


def test_network_looks_at_all_photos_together(tmp_path):
    tf_keras.utils.set_random_seed(1)
    settings = UNetSettings(width=1, side=32)
    save_saliency(tmp_path / "net", settings, build_unet(settings))
    crops = build_crops("unet", str(tmp_path / "net"))
    network = load_saliency(tmp_path / "net")
    assert crops.identity == {"foreground_digest": network.digest}
    expected = [
        crop_of_probabilities(found)
        for found in network.masks([photo.image for photo in photos(5)])
    ]
    assert crops.find(photos(5)) == expected and crops.find([]) == []


def test_crop_of_probabilities_leaves_specks_out():
    probabilities = np.full((100, 150), 0.4, np.float32)
    probabilities[20:60, 30:80] = 0.9
    probabilities[70:90, 100:120] = 0.51  # a fifth of the large one: a second shoe
    assert crop_of_probabilities(probabilities).box == (28, 122, 19, 91)
    probabilities[70:90, 105:120] = 0  # a twentieth: a speck
    assert crop_of_probabilities(probabilities).box == (29, 81, 19, 61)
    assert product_mask(probabilities).sum() == 40 * 50
    nothing = crop_of_probabilities(np.zeros((9, 11), np.float32))
    assert nothing.fallback and nothing.box == (0, 11, 0, 9)


def test_masks_are_named_by_image_or_product(tmp_path):
    for name, n in (("P0", 0), ("P0_2", 1), ("P1", 2)):
        save(tmp_path / f"{name}.png", drawn_photos.draw(n)[1])
    crops = build_crops("masks", masks=str(tmp_path))
    assert crops.identity == {"foreground_masks": str(tmp_path)}
    assert crops.find(photos()) == [crop_of_mask(drawn_photos.draw(n)[1]) for n in range(3)]
    for photo in photos():
        crops.check(photo.product_id, photo.image_id, photo.where)


def test_unusable_masks_are_errors_of_their_photo_alone(tmp_path):
    crops = [
        (drawn_photos.draw(0)[1]),
        np.zeros(drawn_photos.draw(1)[1].shape, bool),
        np.ones((20, 60), bool),
    ]
    for photo, mask in zip(photos(), crops):
        save(tmp_path / f"{photo.image_id}.png", mask)
    finder = build_crops("masks", masks=str(tmp_path))
    good, empty, wide, missing = finder.find(photos(4))
    assert not good.fallback
    height, width = photos()[1].image.shape[:2]
    assert (
        empty.fallback
        and empty.box == (0, width, 0, height)
        and empty.reason == "all values of the mask are 0"
    )
    assert (
        isinstance(wide, InputError)
        and "photo's size 46 x 55" in str(wide)
        and "Received: 60 x 20" in str(wide)
    )
    assert (
        isinstance(missing, InputError)
        and "Needed: the mask P1_2.png or P1.png" in str(missing)
        and "line 3" in str(missing)
    )
    with pytest.raises(InputError, match="P1_2.png or P1.png"):
        finder.check("P1", "P1_2", "line 3")
    (tmp_path / "P0_1.png").write_text("text")
    with pytest.raises(InputError, match="beginning with b'text'"):
        finder.check("P0", "P0_1", "line 0")


def mask_names(tmp_path, names, photos):
    """The masks that photos (product id, image id) get, by name; or the message that says why not.

    Product 100 has one photo, product 100_1 (a colour of it) two.
    """
    for name in names:
        save(tmp_path / f"{name}.png", np.ones((3, 4), bool))
    owners = {"100_1": "100", "100_1_1": "100_1", "100_1_2": "100_1"}
    crops = build_crops("masks", masks=str(tmp_path), owners=owners)
    found = []
    for product_id, image_id in photos:
        try:
            found.append(crops.path(product_id, image_id, "line 1").stem)
        except InputError as error:
            found.append(str(error))
    return found


PHOTOS = (("100", "100_1"), ("100_1", "100_1_1"), ("100_1", "100_1_2"))


@pytest.mark.parametrize(
    "names, expected",
    [
        (["100", "100_1"], ["100", "100_1", "100_1"]),
        (["100_1", "100_1_1", "100_1_2"], ["100_1", "100_1_1", "100_1_2"]),
        (["100", "100_1", "100_1_1"], ["100", "100_1_1", "100_1"]),
        (["100", "100_1_1", "100_1_2"], ["100", "100_1_1", "100_1_2"]),
    ],
)
def test_masks_are_of_the_product_that_is_meant(tmp_path, names, expected):
    assert mask_names(tmp_path, names, PHOTOS) == expected


@pytest.mark.parametrize("names", [["100_1"], ["100", "100_1", "100_1_1", "100_1_2"]])
def test_name_of_two_products_is_refused(tmp_path, names):
    message = mask_names(tmp_path, names, PHOTOS)[0]
    assert "100_1.png, which is the photo 100_1 of product 100 or the product 100_1" in message


@pytest.mark.parametrize("values", [[0, 1], [0, 1, 2, 7, 9, 90], [1], [0, 127]])
def test_values_that_mark_nothing_are_told_before_the_work(tmp_path, values):
    Image.fromarray(np.resize(np.array(values, np.uint8), (30, 40))).save(tmp_path / "P0.png")
    crops = build_crops("masks", masks=str(tmp_path))
    came = "0, 1, 2, 7, 9, ... 90" if len(values) > 5 else ", ".join(map(str, values))
    with pytest.raises(InputError, match=f"Received: the values {came}, none of them above it"):
        crops.check("P0", "P0_1", "line 0")


@pytest.mark.parametrize("value, words", [(0, "0"), (255, "above 127")])
def test_masks_of_one_value_keep_the_photo_whole_and_say_why(tmp_path, value, words):
    photo = photos(1)[0]
    Image.new("L", photo.image.shape[1::-1], value).save(tmp_path / "P0.png")
    crops = build_crops("masks", masks=str(tmp_path))
    crops.check("P0", "P0_1", "line 0")
    (crop,) = crops.find([photo])
    assert crop.fallback and crop.reason == f"all values of the mask are {words}"


def test_ids_do_not_lead_out_of_the_folder(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("out.png", "in/any.png"):
        save(tmp_path / name, np.ones((3, 4), bool))
    with pytest.raises(InputError, match="Received: neither"):
        build_crops("masks", masks=str(tmp_path / "in")).check("../out", "../out", "line 1")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ("u2net", "", ""),
            f"must be one of {', '.join(product_crops.METHODS)}. Received: 'u2net'",
        ),
        (
            ("unet", "", ""),
            (
                "--foreground=unet and --foreground_weights belong together. Received: .*,"
                " --foreground_weights=nothing"
            ),
        ),
        (("border", "w", ""), "Received: --foreground=border, --foreground_weights=w"),
        (("masks", "", ""), "--foreground=masks and --foreground_masks belong together"),
        (("unet", "w", "m"), "Received: --foreground=unet, --foreground_masks=m"),
    ],
)
def test_choices_that_do_not_fit(arguments, message):
    with pytest.raises(InputError, match=message):
        check_choice(*arguments)


def test_wrong_places_are_named(tmp_path):
    with pytest.raises(InputError, match="Not found: gone"):
        build_crops("unet", "gone")
    with pytest.raises(InputError, match="Received: gone"):
        build_crops("masks", masks="gone")
    with pytest.raises(InputError, match="which has none"):
        build_crops("masks", masks=str(tmp_path))
