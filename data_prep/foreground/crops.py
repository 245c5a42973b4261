"""From a foreground mask to the box that is cut out of a photo."""

import dataclasses

import numpy as np

from data_prep.foreground import border_contrast

MARGIN = 0.02  # of the box's side, so that the product's own outline stays inside
MIN_AREA = 0.002  # share of the picture; the smallest earrings of a catalogue cover about 0.5%
MAX_AREA = 0.95  # a "product" larger than this is a mask that has swallowed the background

Box = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class Crop:
    """Where the product is.

    box: (x1, x2, y1, y2) in pixels, half-open.
    fallback: true if no product was found and the box is the whole picture for that reason.
    reason: why it fell back, the same words for the same reason, to be counted; empty otherwise.
    """

    box: Box
    fallback: bool
    reason: str = ""


def crop_of_mask(mask: np.ndarray, may_be_whole: bool = False) -> Crop:
    """The crop around the true pixels of `mask` [H, W]; `may_be_whole` says that a full mask is
    meant.
    """
    height, width = mask.shape
    reason = "" if may_be_whole else degenerate(mask)
    if reason:
        return Crop((0, width, 0, height), True, reason)
    x1, x2, y1, y2 = mask_box(mask)
    dx, dy = (max(1, round(MARGIN * side)) for side in (x2 - x1, y2 - y1))
    return Crop(
        (max(0, x1 - dx), min(width, x2 + dx), max(0, y1 - dy), min(height, y2 + dy)), False
    )


def mask_box(mask: np.ndarray) -> Box:
    """[H, W] bool with at least one true pixel -> the smallest box around the true pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1


def degenerate(mask: np.ndarray) -> str:
    """Why `mask` [H, W] cannot be a product; empty if it can."""
    share = mask.mean()
    if share < MIN_AREA:
        return f"the mask covers less than {MIN_AREA:.1%} of the picture"
    if share > MAX_AREA:
        return f"the mask covers more than {MAX_AREA:.0%} of the picture"
    if border_contrast.touches_all_edges(mask):
        return "the mask touches all four edges of the picture"
    return ""
