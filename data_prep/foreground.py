"""Finds the product in a photo and crops around it (Kaleido-BERT, section 3.2, "KPG"), without trained weights.

The paper takes a salient-object network; what the patches need of it is only a box. Two methods find one
from the picture alone: `border` takes what differs from the picture's edge as the product, `grabcut` lets
colour models of both sides correct that mask. A trained network would be one more line of `METHODS`.

H, W = image size in pixels; boxes are (x1, x2, y1, y2) in pixels, half-open, as in the patch geometry.
"""

import dataclasses
from typing import Callable

import cv2
import numpy as np

from data_prep import border_contrast
from kaleido_tf.errors import InputError

GRABCUT_SIZE = 160  # long side in pixels; the cost grows with the area, the box hardly changes above it
GRABCUT_ROUNDS = 5
MARGIN = 0.02  # of the box's side, so that the product's own outline stays inside
MIN_AREA = 0.002  # share of the picture; the smallest earrings of a catalogue cover about 0.5%
MAX_AREA = 0.95  # a "product" larger than this is a mask that has swallowed the background

Box = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class Crop:
    """Where the product is.

    box: (x1, x2, y1, y2) in pixels, half-open.
    fallback: true if no product was found and the box is the whole picture for that reason.
    reason: why it fell back; empty otherwise.
    """

    box: Box
    fallback: bool
    reason: str = ""


def whole_picture(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> [H, W] bool, all true: no cropping."""
    return np.ones(image.shape[:2], bool)


def border_mask(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> [H, W] bool: what differs from the edge of the picture."""
    mask, _ = border_contrast.mask_against_border(image)
    return mask


def grabcut_mask(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> [H, W] bool: the `border` mask corrected by GrabCut on a smaller picture.

    On a plain background the two are joined, since GrabCut tends to give a white sole or a thin strap to
    a white background, and a product must not be cut.
    """
    small = border_contrast.shrink(image, GRABCUT_SIZE)
    start, plain = border_contrast.mask_against_border(small)
    found = start if degenerate(start) else _grabcut(small, start)
    if degenerate(found):
        found = start
    return border_contrast.resize_mask(found | start if plain else found, *image.shape[:2])


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": whole_picture,
    "border": border_mask,
    "grabcut": grabcut_mask,
}


def foreground_mask(image: np.ndarray, method: str = "border") -> np.ndarray:
    """The product's pixels, as `method` sees them; may be empty.

    image: [H, W, 3] uint8 RGB. Returns: [H, W] bool, true on the product.
    Raises: InputError for an unknown method or an image of another kind.
    """
    if method not in METHODS:
        raise InputError(f"the foreground method must be one of {', '.join(METHODS)}. Received: {method!r}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(
            f"an RGB picture [H, W, 3] of uint8 was needed. Received: shape {image.shape}, {image.dtype}"
        )
    return METHODS[method](image)


def find_crop(image: np.ndarray, method: str = "border") -> Crop:
    """The box around the product with a small margin, or the whole picture and why.

    image: [H, W, 3] uint8 RGB. Raises: InputError as `foreground_mask`.
    """
    return crop_of_mask(foreground_mask(image, method), may_be_whole=method == "none")


def crop_box(image: np.ndarray, method: str = "border") -> Box:
    """`find_crop(image, method).box`: (x1, x2, y1, y2) in pixels, half-open."""
    return find_crop(image, method).box


def crop_of_mask(mask: np.ndarray, may_be_whole: bool = False) -> Crop:
    """The crop around the true pixels of `mask` [H, W]; `may_be_whole` says that a full mask is meant."""
    height, width = mask.shape
    reason = "" if may_be_whole else degenerate(mask)
    if reason:
        return Crop((0, width, 0, height), True, reason)
    x1, x2, y1, y2 = mask_box(mask)
    dx, dy = (max(1, round(MARGIN * side)) for side in (x2 - x1, y2 - y1))
    return Crop((max(0, x1 - dx), min(width, x2 + dx), max(0, y1 - dy), min(height, y2 + dy)), False)


def mask_box(mask: np.ndarray) -> Box:
    """[H, W] bool with at least one true pixel -> the smallest box around the true pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1


def degenerate(mask: np.ndarray) -> str:
    """Why `mask` [H, W] cannot be a product; empty if it can."""
    share = mask.mean()
    if share < MIN_AREA:
        return f"the mask covers {share:.2%} of the picture, less than {MIN_AREA:.1%}"
    if share > MAX_AREA:
        return f"the mask covers {share:.0%} of the picture, more than {MAX_AREA:.0%}"
    if border_contrast.touches_all_edges(mask):
        return "the mask touches all four edges of the picture"
    return ""


def _grabcut(image: np.ndarray, start: np.ndarray) -> np.ndarray:
    """GrabCut from `start` [H, W]: all is only probable, but the outermost pixels outside it are background.

    `start` is not degenerate, so both sides have pixels to learn their colours from.
    """
    height, width = start.shape
    labels = np.where(start, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    edge = border_contrast.edge_band(height, width, 0.02)
    labels[edge & ~start] = cv2.GC_BGD
    cv2.setRNGSeed(1)  # its colour models begin with k-means, which draws from OpenCV's own generator
    cv2.grabCut(image, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    return border_contrast.large_components((labels & 1) > 0, 0.3)
