import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageCms

from data_prep.photo_graphs.decoding import decode
from kaleido_tf.files.images import read_image

ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def decoder():
    return tf.function(decode, [tf.TensorSpec([], tf.string)], autograph=False)


def picture(mode="RGB"):
    noise = np.random.default_rng(2).integers(0, 256, (41, 30, 4)).astype(np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (0, 0), 1.5)).convert(mode)


def encoded(image, form, **settings):
    stream = io.BytesIO()
    image.save(stream, form, **settings)
    return stream.getvalue()


def profile(name):
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


def turned(number, form="JPEG"):
    exif = Image.Exif()
    exif[ORIENTATION] = number
    return encoded(picture(), form, exif=exif)


def big_endian():
    """The EXIF block of a camera that writes the high byte first."""
    block = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0"
    return encoded(picture(), "JPEG", exif=block)


SAME = {
    "jpeg": lambda: encoded(picture(), "JPEG", quality=80),
    "progressive": lambda: encoded(picture(), "JPEG", progressive=True, subsampling=0),
    "grey jpeg": lambda: encoded(picture("L"), "JPEG"),
    "png": lambda: encoded(picture(), "PNG"),
    "alpha": lambda: encoded(picture("RGBA"), "PNG"),
    "grey and alpha": lambda: encoded(picture("LA"), "PNG"),
    "palette": lambda: encoded(picture().quantize(30), "PNG", transparency=3),
    "one colour is clear": lambda: encoded(picture("L"), "PNG", transparency=120),
    "srgb": lambda: encoded(picture(), "JPEG", icc_profile=profile("sRGB")),
    "srgb png": lambda: encoded(picture(), "PNG", icc_profile=profile("sRGB")),
    "turned png": lambda: turned(6, "PNG"),
    "big endian": big_endian,
    **{f"orientation {number}": lambda number=number: turned(number) for number in range(1, 9)},
}
FAILS = {
    "cmyk": (lambda: encoded(picture("CMYK"), "JPEG"), "RGB or grey"),
    "one bit": (lambda: encoded(picture("1"), "PNG"), "8 bits a channel"),
    "few colours": (lambda: encoded(picture().quantize(4), "PNG", bits=2), "8 bits a channel"),
    "16 bits": (lambda: encoded(picture("I;16"), "PNG"), "8 bits a channel"),
    "gif": (lambda: encoded(picture(), "GIF"), "a JPEG or PNG is needed"),
    "nothing": (lambda: b"", "a JPEG or PNG is needed"),
    "colours": (lambda: encoded(picture(), "JPEG", icc_profile=profile("XYZ")), "in sRGB"),
    "colours png": (lambda: encoded(picture(), "PNG", icc_profile=profile("XYZ")), "in sRGB"),
    "xmp": (
        lambda: encoded(picture(), "JPEG") + b'<x tiff:Orientation="6">',
        "an orientation in the EXIF block",
    ),
    "cut short": (lambda: encoded(picture(), "JPEG")[:-400], "JPEG"),
    "png cut short": (lambda: encoded(picture(), "PNG")[:-400], "PNG"),
}


@pytest.mark.parametrize("name", SAME)
def test_pixels_are_those_of_the_records(decoder, name):
    content = SAME[name]()
    np.testing.assert_array_equal(decoder(tf.constant(content)), read_image(content, name))


@pytest.mark.parametrize("name", FAILS)
def test_what_would_be_other_pixels_fails(decoder, name):
    make, message = FAILS[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decoder(tf.constant(make()))
