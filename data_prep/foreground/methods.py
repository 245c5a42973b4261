"""Finds the product in a photo and crops around it (Kaleido-BERT, section 3.2, "KPG"), without
trained weights.

The paper takes a salient-object network; what the patches need of it is only a box. Three methods
find one from the picture alone: `border` takes what differs from the picture's edge as the product,
`grabcut` lets colour models of both sides correct that mask, `dithered` is MVLT's.

H, W = image size in pixels; boxes are (x1, x2, y1, y2) in pixels, half-open, as in the patch
geometry.
"""

from collections.abc import Callable

import cv2
import numpy as np

from data_prep.foreground import border_contrast
from data_prep.foreground.crops import Crop, crop_of_mask, degenerate
from data_prep.foreground.dithered import crop_of_dithered, dithered_mask
from kaleido_tf.errors import InputError

# long side in pixels; the cost grows with the area, the box hardly changes above it
GRABCUT_SIZE = 160
GRABCUT_ROUNDS = 5


def whole_picture(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> [H, W] bool, all true: no cropping."""
    return np.ones(image.shape[:2], bool)


def border_mask(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> [H, W] bool: what differs from the edge of the picture."""
    mask, _ = border_contrast.mask_against_border(image)
    return mask


def grabcut_mask(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> [H, W] bool: the `border` mask corrected by GrabCut on a smaller picture.

    On a plain background the two are joined, since GrabCut tends to give a white sole or a thin
    strap to a white background, and a product must not be cut.
    """
    small = border_contrast.shrink(image, GRABCUT_SIZE)
    start, plain = border_contrast.mask_against_border(small)
    foreground = start if degenerate(start) else _grabcut(small, start)
    if degenerate(foreground):
        foreground = start
    return border_contrast.resize_mask(
        foreground | start if plain else foreground, *image.shape[:2]
    )


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": whole_picture,
    "border": border_mask,
    "grabcut": grabcut_mask,
    "dithered": dithered_mask,
}


def foreground_mask(image: np.ndarray, method: str = "border") -> np.ndarray:
    """The product's pixels, as `method` sees them; may be empty.

    image: [H, W, 3] uint8 RGB. Returns: [H, W] bool, true on the product.
    Raises: InputError for an unknown method or an image of another kind.
    """
    if method not in METHODS:
        raise InputError(
            f"the foreground method must be one of {', '.join(METHODS)}. Received: {method!r}"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise InputError(
            f"an RGB picture [H, W, 3] of uint8 was needed. Received: shape {image.shape},"
            f" {image.dtype}"
        )
    return METHODS[method](image)


def find_crop(image: np.ndarray, method: str = "border") -> Crop:
    """The box around the product with its method's margin, or the whole picture and why.

    image: [H, W, 3] uint8 RGB. Raises: InputError as `foreground_mask`.
    """
    return crop_of_method(foreground_mask(image, method), method)


def crop_of_method(mask: np.ndarray, method: str) -> Crop:
    """The crop that a method, of these or another, makes of its mask [H, W] bool."""
    if method == "dithered":
        return crop_of_dithered(mask)
    return crop_of_mask(mask, may_be_whole=method == "none")


def _grabcut(image: np.ndarray, start: np.ndarray) -> np.ndarray:
    """GrabCut from `start` [H, W]: all is only probable, but the outermost pixels outside it are
    background.

    `start` is not degenerate, so both sides have pixels to learn their colours from.
    """
    height, width = start.shape
    labels = np.where(start, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    edge = border_contrast.edge_band(height, width, 0.02)
    labels[edge & ~start] = cv2.GC_BGD
    # its colour models begin with k-means, which draws from OpenCV's own generator
    cv2.setRNGSeed(1)
    cv2.grabCut(
        image,
        labels,
        None,
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        GRABCUT_ROUNDS,
        cv2.GC_INIT_WITH_MASK,
    )
    return border_contrast.large_components((labels & 1) > 0, 0.3)
