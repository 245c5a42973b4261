"""The kaleido patches of a crop as pixels: as they were cut, and as a training example shows them
(section 3.6).

h, w = size of the working crop; a patch is [height, width, 3] uint8 RGB.
"""

import cv2
import numpy as np

from data_prep.features.patch_features import to_grey
from data_prep.pictures.shown_example import ShownExample
from kaleido_tf import patches


def cut_patches(crop: np.ndarray) -> list[np.ndarray]:
    """The 55 patches of a working crop [h, w, 3], at the boxes that its record has."""
    return [
        crop[y1:y2, x1:x2]
        for x1, x2, y1, y2, _ in patches.kaleido_boxes(crop.shape[1], crop.shape[0])
    ]


def patches_shown(
    crop: np.ndarray, donor_crop: np.ndarray, example: ShownExample
) -> list[np.ndarray | None]:
    """What stands at the 55 places of an example: turned, shuffled, camouflaged, grey; None where
    it is blank.

    Args: crop: [h, w, 3], the example's. donor_crop: the working crop of its donor, of any size.
    """
    cut = cut_patches(crop)
    shown: list[np.ndarray | None] = list(cut)
    shown[0] = np.ascontiguousarray(np.rot90(crop, example.quarter_turns))
    jigsaw, camouflage, grey, blank = (
        patches.LEVEL_STARTS[level] for level in patches.LEVEL_NAMES[1:]
    )
    for place, patch in enumerate(example.jigsaw):
        shown[jigsaw + place] = cut[jigsaw + patch]
    if example.camouflaged is not None:
        shown[camouflage + example.camouflaged] = cut_patches(donor_crop)[example.donor_patch]
    for place in example.grey:
        shown[grey + place] = to_grey(cut[grey + place])
    for place in example.blank:
        shown[blank + place] = None
    return shown


def fit(size: tuple[int, int], room: tuple[float, float]) -> tuple[int, int]:
    """(width, height) brought to the largest size of the same proportion within `room`, at least
    one pixel.
    """
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resize(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Brings a picture to `size` (width, height)."""
    shrinks = size[0] * size[1] < pixels.shape[0] * pixels.shape[1]
    return cv2.resize(
        np.ascontiguousarray(pixels),
        size,
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )


def with_mask(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A photo [H, W, 3] whose background is tinted blue; mask: [H, W] bool, true on the product."""
    tinted = np.rint(0.45 * photo + 0.55 * np.array([70, 120, 230])).astype(np.uint8)
    return np.where(mask[..., None], photo, tinted)


def with_heat(crop: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A crop [h, w, 3] under a heat map of any raster, its hottest cell full: grey where it is
    cold, then red to yellow.
    """
    raster = np.asarray(heat, np.float32)
    spread = cv2.resize(
        raster / max(float(raster.max()), 1e-12), crop.shape[1::-1], interpolation=cv2.INTER_LINEAR
    ).clip(0, 1)
    colour = np.stack([np.full_like(spread, 255), 255 * spread**1.5, 30 * (1 - spread)], axis=-1)
    pale = 0.7 * to_grey(crop) + 0.3 * 255 * 0.9
    share = 0.8 * np.sqrt(spread)[..., None]
    return np.rint(pale * (1 - share) + colour * share).clip(0, 255).astype(np.uint8)
