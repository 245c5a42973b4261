"""Profiles are made here: sRGB with its red and green primaries in each other's place."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from kaleido_tf.files.images import is_plain, read_image

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = (
    SRGB.replace(b"rXYZ", b"?XYZ")
    .replace(b"gXYZ", b"rXYZ")
    .replace(b"?XYZ", b"gXYZ")
    .replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))
)


def photo(profile, mode="RGB", kind="PNG"):
    stream = io.BytesIO()
    image = Image.new("RGB", (7, 5), (200, 60, 20)).convert(mode, palette=Image.Palette.ADAPTIVE)
    image.save(stream, kind, icc_profile=profile)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_are_those_of_the_profile(mode):
    pixels = read_image(photo(SWAPPED, mode), "product 12")
    assert np.abs(pixels.astype(int) - (60, 200, 20)).max() <= 12
    assert not is_plain(photo(SWAPPED), "product 12")


def test_profile_of_a_jpeg_is_applied():
    pixels = read_image(photo(SWAPPED, kind="JPEG"), "product 12")
    assert np.abs(pixels.astype(int) - (60, 200, 20)).max() <= 12


def test_transparency_stays_beside_a_profile():
    stream = io.BytesIO()
    clear = Image.new("RGBA", (7, 5), (200, 60, 20, 0))
    clear.save(stream, "PNG", icc_profile=SWAPPED)
    assert (read_image(stream.getvalue(), "product 12") == 255).all()


@pytest.mark.parametrize("profile", [SRGB, b"broken", SWAPPED[:200]])
def test_srgb_and_broken_profiles_change_nothing(profile):
    assert (read_image(photo(profile), "product 12") == (200, 60, 20)).all()
    assert is_plain(photo(profile), "product 12")


def test_profile_of_another_kind_of_image_is_left_aside():
    expected = read_image(photo(None, "L"), "product 12")
    np.testing.assert_array_equal(read_image(photo(SWAPPED, "L"), "product 12"), expected)
