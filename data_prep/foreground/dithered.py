"""MVLT's crop: the box of the black pixels of a photo in black and white.

The photo is turned into one bit a pixel by Pillow's error diffusion (Floyd and Steinberg), so that
even a light grey leaves some black pixels. H, W = size in pixels.
"""

import numpy as np
from PIL import Image

from data_prep.foreground.crops import Crop, mask_box

_BLANK = "no pixel is black after dithering"
_THIN = "the black pixels after dithering lie in one row or column"


def dithered_mask(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> [H, W] bool: the black pixels of the dithered photo."""
    return ~np.asarray(Image.fromarray(image).convert("1"))


def crop_of_dithered(mask: np.ndarray) -> Crop:
    """The box around the true pixels of `mask` [H, W] without its last row and column, which the
    release leaves out, and without a margin; the whole picture where nothing is left of it.
    """
    height, width = mask.shape
    if not mask.any():
        return Crop((0, width, 0, height), True, _BLANK)
    x1, x2, y1, y2 = mask_box(mask)
    if min(x2 - x1, y2 - y1) < 2:
        return Crop((0, width, 0, height), True, _THIN)
    return Crop((x1, x2 - 1, y1, y2 - 1), False)
