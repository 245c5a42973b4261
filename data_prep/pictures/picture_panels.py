"""What the sections of a product's picture have in common: headings, labelled columns, a level of
patches.

Patches are numbered as in the records, 0 to 54; h, w = size of the working crop.
"""

from collections.abc import Sequence

import numpy as np

from data_prep.pictures.patch_pictures import fit, resize
from data_prep.pictures.sheet import Box, Sheet
from kaleido_tf import patches

WIDTH = 1400
LEFT = 24
GAP = 18  # between panels
PANEL_HEIGHT = 320
TILE_GAP = 3  # between the patches of a level
NOTE_SIZE, NUMBER_SIZE = 8.5, 7
QUIET = "#555555"
CHANGED_PATCH = "#d62728"


def heading(sheet: Sheet, y: float, text: str, explanation: str = "") -> float:
    """A section's title with a rule above and its explanation beside it; returns where its content
    begins.
    """
    sheet.rule(y, LEFT, WIDTH - LEFT)
    y += 6
    _, _, width, height = sheet.line(LEFT, y, text, 12, bold=True)
    beside = LEFT + width + 14
    return (
        max(
            y + height, sheet.paragraph(beside, y + 4, explanation, WIDTH - LEFT - beside, 9, QUIET)
        )
        + 6
    )


def labels(
    sheet: Sheet,
    columns: Sequence[tuple[float, float]],
    y: float,
    titles: Sequence[str],
    notes: Sequence[str],
) -> float:
    """A title and a note above each column; returns where the panels under them begin."""
    ends = []
    for (x, width), title, note in zip(columns, titles, notes, strict=True):
        end = sheet.paragraph(x, y, title, width, 9.5, bold=True)
        ends.append(sheet.paragraph(x, end, note, width, NOTE_SIZE, QUIET) if note else end)
    return max(ends) + 6


def level_boxes(
    crop: np.ndarray, side: int, x: float, y: float, width: float, height: float
) -> list[Box]:
    """Where the patches of a level lie on the sheet: a grid of the crop's proportion, with gaps, in
    the room given.
    """
    gaps = TILE_GAP * (side - 1)
    wide, high = fit((crop.shape[1], crop.shape[0]), (width - gaps, height - gaps))
    x, y = round(x), round(y)
    boxes = patches.level_boxes(max(wide, side), max(high, side), side)
    return [
        (
            x + int(x1) + TILE_GAP * (place % side),
            y + int(y1) + TILE_GAP * (place // side),
            int(x2 - x1),
            int(y2 - y1),
        )
        for place, (x1, x2, y1, y2, _) in enumerate(boxes)
    ]


def draw_level(
    sheet: Sheet,
    shown: Sequence[np.ndarray | None],
    boxes: Sequence[Box],
    side: int,
    numbers: Sequence[int] | None = None,
    changed: Sequence[int] = (),
) -> float:
    """The patches of a level at their boxes, with their numbers; returns the lower edge.

    Args: shown: all 55, None where it is blank. numbers: of the patches that lie at the places;
      None: those that belong there. changed: places to be framed.
    """
    start = patches.LEVEL_STARTS[patches.LEVEL_NAMES[side - 1]]
    for place, box in enumerate(boxes):
        _draw_patch(sheet, shown[start + place], box)
        if place in changed:
            sheet.frame(box, CHANGED_PATCH, 2)
        number = str(start + place if numbers is None else numbers[place])
        wide, high = sheet.measure(number, NUMBER_SIZE)
        if wide + 2 <= box[2] and high <= box[3]:
            sheet.frame((box[0], box[1], wide + 3, high), "white", 0, "white", layer=2)
            sheet.line(box[0] + 1, box[1], number, NUMBER_SIZE, "#333333", layer=2)
    return max(y + height for _, y, _, height in boxes)


def _draw_patch(sheet: Sheet, patch: np.ndarray | None, box: Box) -> None:
    """A patch in its box; one of another proportion keeps its own, before grey. None: a
    blank box.
    """
    x, y, width, height = box
    if patch is None:
        return sheet.frame(box, "#999999", 1, "white")
    size = fit((patch.shape[1], patch.shape[0]), (width, height))
    if abs(size[0] - width) <= 0.05 * width + 1 and abs(size[1] - height) <= 0.05 * height + 1:
        size = (int(width), int(height))  # rounding only
    else:
        sheet.frame(box, "#dddddd", 1, "#dddddd")
    sheet.picture(x + (width - size[0]) // 2, y + (height - size[1]) // 2, resize(patch, size))
    return None
