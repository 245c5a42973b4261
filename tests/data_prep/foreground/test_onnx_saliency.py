"""Salient-object networks from ONNX files find drawn products, and nothing of their use is
guessed.
"""

import json

import numpy as np
import pytest

from data_prep.foreground.onnx_saliency import OnnxSaliency
from data_prep.foreground.product_crops import Photo, build_crops, check_choice, product_mask
from data_prep.foreground.product_masks import ProductMasks
from kaleido_tf.errors import InputError
from tests import drawn_photos
from tests.onnx_networks import PLAIN, Network

REDNESS = np.array([1, -0.5, -0.5], np.float32).reshape(1, 3, 1, 1)
SIZED = {**PLAIN, "size": [60, 48]}


@pytest.fixture
def files(tmp_path):
    """(ONNX file, JSON file) of a network that marks red, and of what is said of it."""

    def written(said, **changes):
        network = Network(**{"outputs": ("saliency",), "kernel": REDNESS, "stride": 1, **changes})
        (tmp_path / "n.json").write_text(json.dumps(said))
        return network.save(tmp_path / "n.onnx"), str(tmp_path / "n.json")

    return written


def photos(count=4):
    return [drawn_photos.draw(n) for n in range(count)]


def overlap(found, mask):
    return (found & mask).sum() / (found | mask).sum()


@pytest.mark.parametrize(
    "shape, said",
    [
        (("n", 3, "h", "w"), {**SIZED, "mask_values": "logits", "mean": [40, 0, 0]}),
        (("n", 3, 60, 48), {**PLAIN, "mask_values": "min_max"}),
        ((1, 3, 60, 48), {**PLAIN, "value_range": "image_max", "mask_values": "min_max"}),
    ],
)
def test_red_products_are_found(files, shape, said):
    net = OnnxSaliency(*files(said, shape=shape))
    images, masks = zip(*photos())
    for found, image, mask in zip(net.masks(list(images)), images, masks):
        assert found.shape == image.shape[:2] and found.dtype == np.float32
        assert overlap(product_mask(found), mask) > 0.8


def test_image_max_divides_each_image_by_its_own(files):
    said = {**SIZED, "value_range": "image_max", "mask_values": "probabilities", "size": 32}
    dark = np.zeros([32, 32, 3], np.uint8)
    dark[4:9, 5:20, 0] = 60
    found = OnnxSaliency(*files(said)).masks([dark, dark * 4, np.zeros_like(dark)])
    np.testing.assert_allclose(found[0], dark[..., 0] / 60, atol=1e-6)
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    assert not found[2].any()


def test_records_crops_and_pictures_use_it(files):
    weights, settings = files({**SIZED, "mask_values": "min_max"})
    crops = build_crops("onnx", weights, preprocessing=settings)
    photo = Photo(photos()[1][0], "P", "P_1", "line 1")
    (crop,) = crops.find([photo])
    assert not crop.fallback and crops.identity["foreground_preprocessing"]["size"] == [60, 48]
    dataset = {"foreground": "onnx", **crops.identity}
    mask, note = ProductMasks(dataset, "r", weights, preprocessing=settings).find(photo, crop.box)
    assert note == "onnx" and overlap(mask, photos()[1][1]) > 0.8
    weights, settings = files({**SIZED, "mask_values": "logits"})
    with pytest.raises(InputError, match="the network that the records in r were made with is"):
        ProductMasks(dataset, "r", weights, preprocessing=settings)
    with pytest.raises(
        InputError, match="_preprocessing is of records made with --foreground=onnx"
    ):
        ProductMasks({"foreground": "border"}, "r", preprocessing=settings)


@pytest.mark.parametrize(
    "said, changes, needed",
    [
        ({}, {}, {"channel_order", "value_range", "mean", "std", "size", "mask_values"}),
        (SIZED, {"outputs": ("saliency", "map")}, {"mask", "mask_values"}),
        (PLAIN, {"shape": ("n", 3, 60, 48)}, {"mask_values"}),
    ],
)
def test_what_neither_settles_is_asked_for(files, said, changes, needed):
    with pytest.raises(InputError, match="Needed: --foreground_preprocessing=FILE.json") as caught:
        OnnxSaliency(*files(said, **changes))
    message = str(caught.value)
    template = json.loads(message[message.index("values: {") + 8 :])
    assert set(template) == {*said, *needed}
    OnnxSaliency(*files(template, **changes))


@pytest.mark.parametrize(
    "said, changes, message",
    [
        ({"features": "map"}, {}, "unknown key `features`"),
        ({"mask_values": "sigmoid"}, {}, "`mask_values` must be"),
        ({"mask": "gone"}, {}, "`mask` must be the name of an output. Received: gone"),
        ({}, {"outputs": ("features",)}, r"a mask of shape \[n, h, w\].*gives features \[1, 1\]"),
    ],
)
def test_slips_are_named(files, said, changes, message):
    with pytest.raises(InputError, match=message):
        OnnxSaliency(*files({**SIZED, "mask_values": "min_max", **said}, **changes))


def test_values_that_are_no_probabilities_are_not_taken_for_such(files):
    net = OnnxSaliency(*files({**SIZED, "mask_values": "probabilities"}))
    with pytest.raises(InputError, match='probabilities lie in 0 to 1. .*they may be "logits"'):
        net.masks([photos(1)[0][0]])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("onnx", "", ""), "--foreground=onnx and --foreground_weights belong together"),
        (("unet", "w", "", "s"), "--foreground_preprocessing belongs to --foreground=onnx"),
    ],
)
def test_flags_that_do_not_fit(arguments, message):
    with pytest.raises(InputError, match=message):
        check_choice(*arguments)
