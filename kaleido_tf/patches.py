"""Geometry of the kaleido patches (Kaleido-BERT, section 3.2): one truth for records, tasks and
model.

A crop is cut into 1x1, 2x2, ..., 5x5 patches; together 55, ordered by level, inside a level row by
row. Every level carries one pre-training task (section 3.6), whose name is the level's name
everywhere.
"""

import itertools

import numpy as np

LEVELS = (1, 2, 3, 4, 5)
"""Patches a side, level by level."""

LEVEL_NAMES = ("rotation", "jigsaw", "camouflage", "grey_to_color", "blank_to_color")

CLASSIFIED_LEVELS = LEVEL_NAMES[:3]
"""Levels 1 to 3, whose tasks name a class."""

MASKED_LEVELS = LEVEL_NAMES[2:]
"""Levels 3 to 5; levels 1 and 2 are never masked, since large patches make the task too hard."""

LEVEL_PATCHES = {name: side * side for name, side in zip(LEVEL_NAMES, LEVELS)}
"""Number of patches by level name: 1, 4, 9, 16, 25."""

LEVEL_STARTS = dict(zip(LEVEL_NAMES, np.cumsum([0, 1, 4, 9, 16]).tolist()))
"""Index of the first patch of a level among the 55: 0, 1, 5, 14, 30."""

NUM_PATCHES = sum(LEVEL_PATCHES.values())
NUM_GREY_PATCHES = LEVEL_PATCHES["grey_to_color"]

ROTATIONS = (0, 90, 180, 270)
"""Degrees counter-clockwise; the rotation label is the index into this tuple."""

JIGSAW_PERMUTATIONS = np.array(list(itertools.permutations(range(4))), np.int32)
"""[24, 4]: row `label` holds, for each of the four places, the patch of level 2 that is put there.
"""


def level_slice(name: str) -> slice:
    """The patches of level `name` among the 55."""
    return slice(LEVEL_STARTS[name], LEVEL_STARTS[name] + LEVEL_PATCHES[name])


def level_boxes(width: int, height: int, side: int) -> np.ndarray:
    """Boxes of a `side` x `side` grid over a crop, row by row.

    The remainder of a side that is not divisible is spread over the patches (their sides differ by
    at most one pixel); nothing is dropped and nothing overlaps.

    Returns: [side * side, 5] int32, (x1, x2, y1, y2, w*h) in pixels of the crop, half-open.
    Raises: ValueError if the crop has fewer pixels a side than the grid has patches.
    """
    if min(width, height) < side:
        raise ValueError(
            f"A crop must have at least {side} pixels a side. Received: width={width},"
            f" height={height}"
        )
    x = np.arange(side + 1) * width // side
    y = np.arange(side + 1) * height // side
    y1, x1 = (grid.reshape(-1) for grid in np.meshgrid(y[:-1], x[:-1], indexing="ij"))
    y2, x2 = (grid.reshape(-1) for grid in np.meshgrid(y[1:], x[1:], indexing="ij"))
    return np.stack([x1, x2, y1, y2, (x2 - x1) * (y2 - y1)], axis=1).astype(np.int32)


def kaleido_boxes(width: int, height: int) -> np.ndarray:
    """The boxes of all five levels: [55, 5] int32, as `level_boxes`."""
    return np.concatenate([level_boxes(width, height, side) for side in LEVELS])
