"""Photos whose lower part never came, whatever stands in its place; W=90 by H=120."""

import io

import numpy as np
import pytest
from PIL import Image, features

from kaleido_tf.errors import InputError
from kaleido_tf.files.images import read_image

END = b"\xff\xd9"
GENERATOR = np.random.default_rng(0)
NOISE = GENERATOR.integers(0, 60, (120, 90, 3)) + np.linspace(0, 190, 120)[:, None, None]
KINDS = {
    "baseline": {"quality": 90},
    "optimised": {"quality": 90, "optimize": True},
    "restarts": {"quality": 90, "restart_marker_rows": 1},
    "progressive": {"quality": 90, "progressive": True},
}


def encoded(pixels, kind, mode="RGB", **options):
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def filled(content, share, filler):
    kept = int(len(content) * share)
    missing = len(content) - kept
    tail = {
        "end marker": END,
        "zeros": bytes(missing),
        "zeros and end marker": bytes(missing - 2) + END,
        "ones": b"\xff" * missing,
        "an error page": (b"<html>502</html>\n" * missing)[:missing],
    }[filler]
    return content[:kept] + tail


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.4, 0.7, 0.9])
@pytest.mark.parametrize(
    "filler", ["end marker", "zeros", "zeros and end marker", "ones", "an error page"]
)
def test_jpeg_without_its_lower_part_is_refused(kind, share, filler):
    whole = encoded(NOISE, "JPEG", **KINDS[kind])
    with pytest.raises(InputError, match="whole JPEG image. Received: one that cannot be decoded"):
        read_image(filled(whole, share, filler), "product 12")


def test_progressive_jpeg_without_its_last_scans_is_refused():
    whole = encoded(NOISE, "JPEG", progressive=True)
    last_scan = whole.rindex(b"\xff\xda")
    with pytest.raises(InputError, match="scans that refine the picture are missing"):
        read_image(whole[:last_scan] + END, "product 12")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("picture", ["noise", "even", "grey below", "white below"])
@pytest.mark.parametrize("quality", [1, 90])
def test_whole_jpeg_is_read(kind, mode, picture, quality):
    """An even lower part is coded in few bits, often zeros; what is filled in looks the same."""
    pixels = NOISE.copy()
    if picture != "noise":
        pixels[0 if picture == "even" else 60 :] = 255 if picture == "white below" else 128
    content = encoded(pixels, "JPEG", mode, **{**KINDS[kind], "quality": quality})
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(read_image(content, "product 12"), expected)
    padded = content + bytes(500)  # after the end, as some programs write it
    np.testing.assert_array_equal(read_image(padded, "product 12"), expected)


def test_tiny_jpeg_and_one_without_its_end_marker_are_read():
    tiny = encoded(NOISE[:1, :1], "JPEG")
    assert read_image(tiny, "product 12").shape == (1, 1, 3)
    whole = encoded(NOISE, "JPEG")
    assert read_image(whole[:-2], "product 12").shape == (120, 90, 3)


@pytest.mark.parametrize("options", [{"quality": 90}, {"lossless": True}])
def test_webp_without_its_lower_part_is_refused(options):
    whole = encoded(NOISE, "WEBP", **options)
    assert read_image(whole, "product 12").shape == (120, 90, 3)
    assert read_image(whole + bytes(300), "product 12").shape == (120, 90, 3)
    with pytest.raises(InputError, match="whole WEBP image"):
        read_image(filled(whole, 0.4, "zeros"), "product 12")


@pytest.mark.parametrize("lossless", [False, True])
def test_even_webp_is_read(lossless):
    content = encoded(np.full((120, 90, 3), 255), "WEBP", lossless=lossless)
    assert (read_image(content, "product 12") == 255).all()


def test_avif_is_read_where_pillow_can():
    if not features.check("avif"):
        return
    whole = encoded(NOISE, "AVIF", quality=90)
    assert np.abs(read_image(whole, "product 12").astype(int) - NOISE).mean() < 20
    for filler in ("zeros", "end marker"):
        with pytest.raises(InputError, match="AVIF"):
            read_image(filled(whole, 0.4, filler), "product 12")


@pytest.mark.parametrize("kind, end", [("PNG", b"\0\0\0\0IEND\xaeB`\x82"), ("GIF", b"\0;")])
def test_end_put_back_to_png_and_gif_is_no_whole_image(kind, end):
    whole = encoded(NOISE, kind)
    for content in (whole[: len(whole) // 2] + end, filled(whole, 0.4, "zeros")):
        with pytest.raises(InputError, match=f"whole {kind} image"):
            read_image(content, "product 12")
