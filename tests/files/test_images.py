"""Images are drawn here, W=7 by H=5, so that a swapped axis shows."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from kaleido_tf.errors import InputError
from kaleido_tf.files.images import is_plain, read_image, read_values

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def drawn(width=7, height=5):
    """Red, with a green top left and a blue bottom right pixel."""
    pixels = np.full((height, width, 3), RED, np.uint8)
    pixels[0, 0], pixels[-1, -1] = GREEN, BLUE
    return Image.fromarray(pixels)


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def message(source, where="product 12", **limits):
    with pytest.raises(InputError) as caught:
        read_image(source, where, **limits)
    return str(caught.value)


@pytest.mark.parametrize(
    "kind, options",
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("GIF", {})],
)
def test_lossless_formats_give_the_drawn_pixels(tmp_path, kind, options):
    path = tmp_path / "product.jpg"  # the name does not count, the content does
    path.write_bytes(encoded(drawn(), kind, **options))
    pixels = read_image(path, "product 12")
    assert pixels.dtype == np.uint8 and pixels.shape == (5, 7, 3)
    np.testing.assert_array_equal(pixels, np.asarray(drawn()))
    pixels[0, 0] = 0  # the array belongs to the caller


def test_jpeg_is_close_to_the_drawn_pixels():
    plain = Image.new("RGB", (7, 5), (200, 100, 50))
    assert (
        np.abs(
            read_image(encoded(plain, "JPEG", quality=95), "here").astype(int) - (200, 100, 50)
        ).max()
        <= 3
    )


def test_exif_orientation_turns_the_image():
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: to be turned a quarter clockwise
    pixels = read_image(encoded(drawn(), "PNG", exif=exif), "here")
    assert pixels.shape == (7, 5, 3)
    assert tuple(pixels[0, -1]) == GREEN and tuple(pixels[-1, 0]) == BLUE


def test_transparency_is_laid_on_white():
    image = drawn().convert("RGBA")
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 51))  # one fifth black
    pixels = read_image(encoded(image), "here")
    assert [tuple(pixel) for pixel in pixels[0, :3]] == [GREEN, WHITE, (204, 204, 204)]


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_colour_is_white(kind):
    image = Image.new("P", (7, 5), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((3, 0), 0)
    pixels = read_image(encoded(image, kind, transparency=0), "here")
    assert tuple(pixels[0, 3]) == WHITE and tuple(pixels[4, 6]) == RED


def test_a_transparent_rgb_colour_is_white():
    pixels = read_image(encoded(drawn(), transparency=GREEN), "here")
    assert tuple(pixels[0, 0]) == WHITE and tuple(pixels[-1, -1]) == BLUE


def test_transparency_and_turn_together():
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = read_image(encoded(drawn(), transparency=GREEN, exif=exif), "here")
    assert tuple(pixels[-1, -1]) == WHITE and tuple(pixels[0, 0]) == BLUE


def test_grey_black_and_white_and_cmyk_become_rgb():
    assert tuple(read_image(encoded(Image.new("L", (7, 5), 90)), "here")[4, 6]) == (90, 90, 90)
    assert tuple(read_image(encoded(Image.new("1", (7, 5), 1)), "here")[4, 6]) == WHITE
    assert tuple(read_image(encoded(Image.new("LA", (7, 5), (0, 51))), "here")[4, 6]) == (
        204,
        204,
        204,
    )
    assert (
        tuple(
            read_image(encoded(Image.new("CMYK", (7, 5), (0, 255, 255, 0)), "TIFF"), "here")[4, 6]
        )
        == RED
    )


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(kind):
    image = Image.fromarray(np.full((5, 7), 257 * 100, np.uint16))
    image.putpixel((6, 4), 65535)
    pixels = read_image(encoded(image, kind), "here")
    assert (
        pixels.shape == (5, 7, 3)
        and tuple(pixels[0, 0]) == (100, 100, 100)
        and tuple(pixels[4, 6]) == WHITE
    )


def test_values_without_a_range_are_refused():
    text = message(encoded(Image.fromarray(np.full((5, 7), 0.5, np.float32)), "TIFF"))
    assert "mode F from 0.5 to 0.5" in text and "product 12" in text


def test_an_animation_gives_its_first_frame():
    frames = encoded(drawn(), "GIF", save_all=True, append_images=[Image.new("RGB", (7, 5), WHITE)])
    np.testing.assert_array_equal(read_image(frames, "here"), np.asarray(drawn()))


def test_missing_file_folder_and_empty_file(tmp_path):
    text = message(tmp_path / "none.jpg")
    assert "Received: no file of that name." in text and "none.jpg (product 12)" in text
    assert "Received: something that is not a file." in message(tmp_path)
    (tmp_path / "empty.jpg").touch()
    text = message(tmp_path / "empty.jpg")
    assert "Received: 0 bytes." in text and "empty.jpg (product 12)" in text
    assert message(b"", "row 3") == "Needed: an image. Received: 0 bytes. Where: row 3."


def test_a_text_file_with_an_image_name_is_refused_by_content(tmp_path):
    path = tmp_path / "page.jpg"
    path.write_text("<html>404 not found</html>")
    text = message(path)
    assert "Needed: an image (JPEG, PNG, WEBP, BMP, GIF, TIFF" in text
    assert "beginning with b'<html>404 not fo'" in text and "page.jpg (product 12)" in text


def test_another_image_format_is_refused():
    assert "beginning with b'P6" in message(encoded(drawn(), "PPM"))


def test_pixel_limit_is_taken_from_the_header_before_decoding():
    data = encoded(drawn())
    assert read_image(data, "here", max_pixels=35).shape == (5, 7, 3)
    assert "Needed: an image of 1 to 34 pixels. Received: 7 x 5 = 35 pixels" in message(
        data, max_pixels=34
    )


@pytest.mark.parametrize(
    "side, words", [(8000, "8000 x 8000 = 64000000 pixels"), (60000, "3600000000 pixels")]
)
def test_a_pixel_bomb_is_refused(side, words):
    """A PNG that claims a huge size in a few bytes, and has no pixels at all."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(header))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
    )
    idat = b"IDAT" + zlib.compress(b"")
    bomb += struct.pack(">I", len(idat) - 4) + idat + struct.pack(">I", zlib.crc32(idat))
    text = message(bomb)
    assert words in text and "cannot be decoded" not in text and "product 12" in text


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_half_a_file_is_refused(kind):
    noise = np.random.default_rng(3).integers(0, 256, (50, 70, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    text = message(data[: len(data) // 2])
    assert "Needed: " in text and "Received: " in text and "Where: product 12." in text


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow's own remarks on some of the damage
def test_damage_anywhere_ends_as_an_input_error_or_an_image():
    random = np.random.default_rng(4)
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"):
        data = np.frombuffer(encoded(drawn(70, 50), kind), np.uint8)
        for _ in range(100):
            damaged = data.copy()
            damaged[random.integers(0, len(data), 3)] = random.integers(0, 256, 3)
            try:
                assert read_image(damaged.tobytes(), "here", max_pixels=100_000).dtype == np.uint8
            except InputError as error:
                assert "Where: here." in str(error)


def test_plain_is_only_what_every_decoder_reads_alike(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(drawn(), "JPEG"))
    assert is_plain(path, "here")
    assert is_plain(encoded(Image.new("L", (7, 5))), "here")
    turned = Image.Exif()
    turned[0x0112] = 6
    for other in (
        encoded(drawn(), "JPEG", exif=turned),
        encoded(drawn(), "WEBP"),
        encoded(drawn().convert("RGBA")),
        encoded(drawn(), transparency=GREEN),
        encoded(drawn().convert("CMYK"), "JPEG"),
    ):
        assert not is_plain(other, "here")
    with pytest.raises(InputError, match="beginning with b'no image'. Where: row 3."):
        is_plain(b"no image", "row 3")


def test_values_are_numbers_not_colours(tmp_path):
    values = np.arange(35, dtype=np.uint8).reshape(5, 7)
    palette = Image.fromarray(values, "P")
    palette.putpalette([7] * 3 * 35)
    for name, image, expected in [
        ("grey", Image.fromarray(values), values),
        ("palette", palette, values),
        ("deep", Image.fromarray(values.astype(np.uint16) * 1000), values.astype(np.int32) * 1000),
        ("two", Image.fromarray(values > 9), 255 * (values > 9)),
        ("three", Image.fromarray(np.repeat(values[..., None], 3, axis=2)), values),
    ]:
        image.save(tmp_path / f"{name}.png")
        found = read_values(tmp_path / f"{name}.png", "a mask")
        assert found.dtype == (np.int32 if name == "deep" else np.uint8)
        np.testing.assert_array_equal(found, expected)
    drawn().save(tmp_path / "colour.png")
    with pytest.raises(
        InputError,
        match=(
            r"one number a pixel \(grey or palette\). Received: an image of mode RGB. Where:"
            r" .*colour.png \(a mask\)"
        ),
    ):
        read_values(tmp_path / "colour.png", "a mask")
    with pytest.raises(InputError, match="1 to 30 pixels"):
        read_values(tmp_path / "grey.png", "a mask", max_pixels=30)
