import numpy as np
import pytest

from data_prep.foreground.dithered import dithered_mask
from data_prep.foreground.methods import find_crop
from data_prep.foreground.working_crops import crop_product
from data_prep.record_writing.pixel_content import square_photo
from tests.mvlt_golden import arrays

GOLDEN = arrays("image_crop")
CASES = sorted({name.split("/")[0] for name in GOLDEN})


@pytest.mark.parametrize("case", CASES)
def test_crop_and_square_are_the_release_s(case):
    image = GOLDEN[f"{case}/image"]
    np.testing.assert_array_equal(dithered_mask(image), GOLDEN[f"{case}/bilevel"] == 0)
    crop = find_crop(image, "dithered")
    assert not crop.fallback
    x1, x2, y1, y2 = crop.box
    cropped = image[y1:y2, x1:x2]
    np.testing.assert_array_equal(cropped, GOLDEN[f"{case}/cropped"])
    tensor = GOLDEN[f"{case}/tensor48"].transpose(1, 2, 0)
    square = square_photo(cropped, tensor.shape[0], "stretch")
    np.testing.assert_allclose(square / 255, tensor, rtol=0, atol=1e-6)


@pytest.mark.parametrize("black, reason", [(0, "no pixel is black"), (1, "in one row or column")])
def test_photo_with_nothing_to_cut_out_is_kept_whole_and_says_why(black, reason):
    image = np.full((17, 23, 3), 255, np.uint8)
    image[5, 3 : 3 + 4 * black] = 0
    crop = find_crop(image, "dithered")
    assert crop.box == (0, 23, 0, 17) and crop.fallback and reason in crop.reason


def test_patches_may_be_cut_from_it():
    image = np.full((90, 70, 3), 255, np.uint8)
    image[20:51, 10:42] = 0
    assert crop_product(image, "dithered", 64).box == (10, 41, 20, 50)
