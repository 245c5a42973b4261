"""A product's crop at the working size that patches are cut from."""

import dataclasses

import cv2
import numpy as np

from data_prep.foreground.crops import Crop
from data_prep.foreground.methods import find_crop

WORKING_MULTIPLE = 16
"""Short sides are rounded to this many pixels, so that photos of nearly equal shape can share a
batch.
"""


@dataclasses.dataclass(frozen=True)
class WorkingCrop:
    """A product's crop at its working size: `pixels` [h, w, 3] uint8, `box` (x1, x2, y1, y2) in
    photo pixels, `image_size` (width, height) of the photo, `whole` True if no foreground was found
    and the photo kept whole, `reason` why.
    """

    pixels: np.ndarray
    box: tuple[int, int, int, int]
    image_size: tuple[int, int]
    whole: bool
    reason: str = ""


def crop_product(image: np.ndarray, foreground: str, crop_size: int) -> WorkingCrop:
    """Finds the product in its photo and cuts it out as `cut_crop` does.

    Args: image: [H, W, 3] uint8 RGB. foreground: a method of `data_prep.foreground.methods`.
    """
    return cut_crop(image, find_crop(image, foreground), crop_size)


def cut_crop(image: np.ndarray, crop: Crop, crop_size: int) -> WorkingCrop:
    """Cuts what was found out of its photo [H, W, 3] uint8 RGB and brings the cut to its working
    size.

    The long side becomes `crop_size` pixels; the short side keeps the proportion up to
    `WORKING_MULTIPLE`.
    """
    x1, x2, y1, y2 = crop.box
    width, height = working_size(x2 - x1, y2 - y1, crop_size)
    shrinks = (x2 - x1) * (y2 - y1) > width * height
    pixels = cv2.resize(
        image[y1:y2, x1:x2],
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return WorkingCrop(
        pixels,
        tuple(int(v) for v in crop.box),
        (image.shape[1], image.shape[0]),
        crop.fallback,
        crop.reason,
    )


def working_size(width: int, height: int, crop_size: int) -> tuple[int, int]:
    """(width, height) of the working crop: long side `crop_size`, short side a multiple of
    `WORKING_MULTIPLE`.

    Very long products are not squeezed below a quarter: level 5 must keep enough pixels a patch.
    """
    long_side, short_side = max(width, height), min(width, height)
    short = round(short_side * crop_size / long_side / WORKING_MULTIPLE) * WORKING_MULTIPLE
    short = min(max(short, crop_size // 4, WORKING_MULTIPLE), crop_size)
    return (crop_size, short) if width >= height else (short, crop_size)
