"""Records of pixels: the crop as a square photo, a JPEG or its bytes."""

import dataclasses
import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from data_prep.foreground.crops import Crop
from data_prep.record_writing.record_settings import RecordSettings, foreground_setting
from kaleido_tf.records.photo import ENCODINGS, JPEG, raw_photo, serialize_photo_record
from kaleido_tf.records.record import PIXELS
from kaleido_tf.settings import setting

FITS = ("stretch", "pad")
_WHITE = (255, 255, 255)
EVERY_COLOUR = "4:4:4"
"""Sampling of a JPEG's colours; docs/records.md says what half of them would save and cost."""


@dataclasses.dataclass(frozen=True)
class PixelSettings(RecordSettings):
    """How records of pixels are made; each as its flag says. Raises: InputError as
    `RecordSettings`.
    """

    foreground: str = foreground_setting("none")
    image_size: int = setting(
        256,  # both MVLT and FashionViL read 256
        "image_size",
        "Pixels a side of the square photo.",
        lowest=32,
        largest=2048,
    )
    fit: str = setting(
        FITS[0],
        "fit",
        "How the crop becomes a square: stretch ignores its proportions, pad keeps them and fills"
        " up with white on both sides.",
        choices=FITS,
    )
    encoding: str = setting(
        ENCODINGS[JPEG], "encoding", "How the photo is stored.", choices=ENCODINGS
    )
    jpeg_quality: int = setting(
        95, "jpeg_quality", "Pillow's quality of a JPEG, 1 to 100.", lowest=1, largest=100
    )


class PixelContent:
    """Pixels, as `PhotoContent`."""

    described: Mapping[str, object] = {}

    def __init__(self, settings: PixelSettings):
        self.settings = settings

    @property
    def identity(self) -> dict:
        """The settings; the quality only of JPEG, of which it is."""
        settings = self.settings
        is_jpeg = settings.encoding == ENCODINGS[JPEG]
        return {
            "layout": PIXELS.name,
            "image_size": settings.image_size,
            "fit": settings.fit,
            "photo_encoding": settings.encoding,
            **({"jpeg_quality": settings.jpeg_quality} if is_jpeg else {}),
        }

    @property
    def size_in_words(self) -> str:
        """Pixels a side."""
        return f"{self.settings.image_size} pixels a side"

    def cut(self, image: np.ndarray, crop: Crop) -> bytes:
        """The square, as it is stored."""
        x1, x2, y1, y2 = crop.box
        square = square_photo(image[y1:y2, x1:x2], self.settings.image_size, self.settings.fit)
        if self.settings.encoding == ENCODINGS[JPEG]:
            return jpeg_photo(square, self.settings.jpeg_quality)
        return raw_photo(square)

    def fields(self, cuts: Sequence[bytes]) -> list[list[dict]]:
        """The photo."""
        return [[{"photo": cut}] for cut in cuts]

    def serialize(self, fields: Mapping[str, object]) -> bytes:
        """A record."""
        return serialize_photo_record(fields, ENCODINGS.index(self.settings.encoding))

    def in_words(self, fields: Mapping[str, object]) -> str:
        """How large its photo is."""
        return f"{self.settings.encoding} of {len(fields['photo'])} bytes"


def square_photo(pixels: np.ndarray, side: int, fit: str) -> np.ndarray:
    """[h, w, 3] uint8 to [side, side, 3], by Pillow's bilinear filter, which weighs all pixels that
    fall on one where it shrinks. Args: fit: of `FITS`.
    """
    photo = Image.fromarray(pixels)
    if fit == "stretch":
        return np.asarray(photo.resize((side, side), Image.Resampling.BILINEAR))
    longest = max(photo.size)
    width, height = (max(1, round(length * side / longest)) for length in photo.size)
    square = Image.new("RGB", (side, side), _WHITE)
    middle = ((side - width) // 2, (side - height) // 2)
    square.paste(photo.resize((width, height), Image.Resampling.BILINEAR), middle)
    return np.asarray(square)


def jpeg_photo(pixels: np.ndarray, quality: int, sampling: str = EVERY_COLOUR) -> bytes:
    """[side, side, 3] uint8 as the bytes that `photo.parse_photo` reads as `JPEG`."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(
        stream, "JPEG", quality=quality, subsampling=sampling, optimize=True
    )
    return stream.getvalue()
