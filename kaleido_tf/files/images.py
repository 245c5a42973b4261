"""Reads one product image safely: header first, pixels second.

Catalogues come from crawls, so an "image" may be an error page named .jpg, an empty file, half a
download, or a small file that unpacks to gigabytes. All of these are found by the header, before
anything is decoded, or while decoding, and all of them end as an `InputError` that says where the
image is named. (Not to be found: missing rows of an uncompressed BMP or TIFF, or the missing end of
a WebP or AVIF, that were filled up with something other than zeros.)

H, W = height and width in pixels, after the EXIF orientation is applied.
"""

import contextlib
import io
import os
import pathlib
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, features

from kaleido_tf.errors import InputError
from kaleido_tf.files.colour_profiles import in_srgb, names_other_colours
from kaleido_tf.files.image_ends import load_whole

MAX_PIXELS = 50_000_000
# Named to Pillow, so that none of its forty other decoders ever sees the bytes. JPEG includes MPO
# (phone cameras).
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF") + (
    ("AVIF",) if features.check("avif") else ()
)

_ORIENTATION_TAG = 0x0112
# What Pillow's decoders raise on damaged data. Wide on purpose: which one it is depends on the byte
# that is wrong.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def read_image(
    source: str | os.PathLike | bytes, where: str, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Reads an image file, or the bytes of one.

    The first frame of an animation is taken, the EXIF orientation is applied, colours are those of
    sRGB whatever profile is embedded, transparent pixels are laid on white (the usual background of
    product photos), and palettes, grey, CMYK and 16-bit images become 8-bit RGB.

    Args:
      source: path, or the encoded bytes.
      where: for the message, e.g. "product 12, products.jsonl line 3".
      max_pixels: most pixels (width times height) that are decoded; read from the header.
    Returns: [H, W, 3] uint8, RGB.
    Raises: InputError if the file is missing, empty, not one of `FORMATS`, too large, or damaged.
    """
    place = _place(source, where)
    with _opened(source, place) as image:
        _check_pixels(image, max_pixels, place)
        try:
            whole = load_whole(image, _content(source))
            return _rgb(ImageOps.exif_transpose(whole))
        except _DAMAGE as error:
            raise InputError(
                f"Needed: a whole {image.format} image."
                f" Received: one that cannot be decoded ({error})."
                f" Where: {place}."
            ) from error


def read_values(source: str | os.PathLike, where: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Reads the numbers of a mask or label map: of a palette image its indices, of a grey one its
    levels.

    A colour image counts if it is grey (its three channels agree). An EXIF orientation is applied.
    Returns: [H, W] uint8 (black and white: 0 and 255), or int32 of 16-bit images.
    Raises: InputError as `read_image`, and for colours or transparency, which say nothing certain
      about a mask.
    """
    place = _place(source, where)
    with _opened(source, place) as image:
        _check_pixels(image, max_pixels, place)
        try:
            image = ImageOps.exif_transpose(load_whole(image, _content(source)))
            values = np.asarray(image.convert("L") if image.mode == "1" else image)
        except _DAMAGE as error:
            raise InputError(
                f"Needed: a whole {image.format} image."
                f" Received: one that cannot be decoded ({error})."
                f" Where: {place}."
            ) from error
        if image.mode == "RGB" and (values == values[..., :1]).all():
            values = values[..., 0]
        if values.ndim != 2 or image.mode == "F":
            raise InputError(
                "Needed: one number a pixel (grey or palette). Received: an image of mode"
                f" {image.mode}. Where: {place}."
            )
        return values if values.dtype == np.uint8 else values.astype(np.int32)


def check_image(
    source: str | os.PathLike | bytes, where: str, max_pixels: int = MAX_PIXELS
) -> None:
    """Raises what `read_image` would, as far as the header shows it; decodes nothing."""
    place = _place(source, where)
    with _opened(source, place) as image:
        _check_pixels(image, max_pixels, place)


def is_plain(source: str | os.PathLike | bytes, where: str) -> bool:
    """Whether every common decoder gives the pixels of `read_image`; looks at the header alone.

    True for a JPEG or PNG in RGB or grey that is opaque and not turned by EXIF: such a file can be
    handed on byte for byte, others are better decoded here. Raises: InputError as `read_image`,
    except for damaged pixels.
    """
    place = _place(source, where)
    with _opened(source, place) as image:
        try:
            turned = image.getexif().get(_ORIENTATION_TAG, 1) != 1
        except _DAMAGE:
            return False  # `read_image` decides whether the damage goes further than the EXIF block
        return (
            image.format in ("JPEG", "PNG")
            and image.mode in ("RGB", "L")
            and not turned
            and "transparency" not in image.info
            and not names_other_colours(image)
        )


def _place(source: str | os.PathLike | bytes, where: str) -> str:
    return where if isinstance(source, bytes) else f"{os.fspath(source)} ({where})"


@contextlib.contextmanager
def _opened(source: str | os.PathLike | bytes, place: str) -> Iterator[Image.Image]:
    """Opens the image as far as its header. Raises: InputError if that fails."""
    with _stream(source, place) as stream:
        start = stream.read(16)
        if not start:
            raise InputError(f"Needed: an image. Received: 0 bytes. Where: {place}.")
        stream.seek(0)
        try:
            image = Image.open(stream, formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise InputError(
                f"Needed: an image of a sane size. Received: {error} Where: {place}."
            ) from error
        except _DAMAGE as error:
            raise InputError(
                f"Needed: an image ({', '.join(FORMATS)})."
                " Received: data of another or a damaged kind,"
                f" beginning with {start!r}. Where: {place}."
            ) from error
        with image:
            yield image


def _stream(source: str | os.PathLike | bytes, place: str) -> io.BufferedIOBase:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if not os.path.isfile(source):  # also keeps a named pipe from blocking the run
        came = "something that is not a file" if os.path.exists(source) else "no file of that name"
        raise InputError(f"Needed: an image file. Received: {came}. Where: {place}.")
    try:
        return open(source, "rb")
    except OSError as error:
        raise InputError(
            f"Needed: a readable image file. Received: {error.strerror}. Where: {place}."
        ) from error


def _content(source: str | os.PathLike | bytes) -> bytes:
    return source if isinstance(source, bytes) else pathlib.Path(source).read_bytes()


def _check_pixels(image: Image.Image, max_pixels: int, place: str) -> None:
    width, height = image.size
    if not 0 < width * height <= max_pixels:
        raise InputError(
            f"Needed: an image of 1 to {max_pixels} pixels. Received: {width} x {height} = "
            f"{width * height} pixels (by its header). Where: {place}."
        )


def _rgb(image: Image.Image) -> np.ndarray:
    """Any Pillow image -> [H, W, 3] uint8. Raises: ValueError if its values have no
    agreed range.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return _from_deep_grey(image)
    image = in_srgb(image)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _from_deep_grey(image: Image.Image) -> np.ndarray:
    """16-bit grey -> [H, W, 3] uint8. By hand, since Pillow's own conversion clips at 255 instead
    of scaling.
    """
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError(
            f"pixels of mode {image.mode} from {values.min()} to {values.max()} have no agreed"
            " white"
        )
    grey = np.round(values / 257).astype(np.uint8)  # 65535 / 257 = 255
    if isinstance(image.info.get("transparency"), int):
        grey[values == image.info["transparency"]] = 255
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
