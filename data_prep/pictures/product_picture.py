"""One product as one picture: its photo, its patches, its caption, its alignments, and
one training example.

Here is what stands on the picture and where; how it is drawn is `sheet`'s, what patches look like
`patch_pictures`'. H, W = size of the photo, h, w of the working crop, in pixels.
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from data_prep.alignment.alignments import Region
from data_prep.pictures.alignment_panel import AlignedText, draw_alignments
from data_prep.pictures.patch_pictures import (
    cut_patches,
    fit,
    patches_shown,
    resize,
    with_heat,
    with_mask,
)
from data_prep.pictures.picture_panels import (
    GAP,
    LEFT,
    PANEL_HEIGHT,
    QUIET,
    WIDTH,
    draw_level,
    heading,
    labels,
    level_boxes,
)
from data_prep.pictures.sheet import Piece, Sheet
from data_prep.pictures.shown_example import (
    KEPT,
    MASKED,
    RANDOM,
    UNCHANGED,
    ShownExample,
    ShownToken,
)
from kaleido_tf import patches

CAPTION_SIDE = 150  # pixels of the longer side
CHANGE_COLOURS = {
    MASKED: ("#ffd8d8", "#d62728"),
    RANDOM: ("#ffe3bf", "#ff7f0e"),
    UNCHANGED: ("#dcebff", "#1f77b4"),
}
ROMAN = ("I", "II", "III", "IV", "V")


@dataclasses.dataclass(frozen=True)
class ProductView:
    """All that a picture shows.

    Attributes:
      product_id, image_id, title, text: as in the record. category: one line.
      photo: [H, W, 3] uint8 RGB. crop_box: x1, x2, y1, y2 in its pixels. mask: [H, W] bool, None if
        there is none. mask_note: how the mask was made, or why there is none.
      crop: [h, w, 3] uint8, the working crop.
      aligned: the text's words and their patches.
      caption: what the captioner said or read, and its words that can be seen, with their heat maps
        over the crop; None: none was asked.
      example: one training example. donor_crop: the working crop of its donor. donor_name: image id
        of the donor.
      text_owner: product id of the example's text.
    """

    product_id: str
    image_id: str
    title: str
    text: str
    category: str
    photo: np.ndarray
    crop_box: tuple[int, int, int, int]
    mask: np.ndarray | None
    mask_note: str
    crop: np.ndarray
    aligned: AlignedText
    caption: tuple[str, Sequence[Region]] | None
    example: ShownExample
    donor_crop: np.ndarray
    donor_name: str
    text_owner: str


def draw_product(view: ProductView) -> Sheet:
    """The whole picture, not yet written."""
    sheet = Sheet(WIDTH)
    y = _draw_head(sheet, view, 16)
    y = _draw_photo_and_levels(sheet, view, y + 14)
    y = _draw_caption(sheet, view, y + 16)
    y = draw_alignments(sheet, view.aligned, view.crop, y + 16)[0]
    _draw_example(sheet, view, y + 16)
    return sheet


def _draw_head(sheet: Sheet, view: ProductView, y: float) -> float:
    width = WIDTH - 2 * LEFT
    y = sheet.paragraph(LEFT, y, f"{view.product_id}   {view.title}", width, 15, bold=True)
    (height, wide), (crop_height, crop_width) = view.photo.shape[:2], view.crop.shape[:2]
    facts = (
        f"{view.category} · image {view.image_id} · photo {wide} x {height}, working crop"
        f" {crop_width} x {crop_height} pixels"
    )
    y = sheet.paragraph(LEFT, y + 2, facts, width, 9, QUIET)
    return sheet.paragraph(LEFT, y + 4, view.text, width)


def _draw_photo_and_levels(sheet: Sheet, view: ProductView, y: float) -> float:
    y = heading(sheet, y, "Photo and kaleido patches")
    columns = sheet.columns(LEFT, 1 + len(patches.LEVELS), GAP)
    note = view.mask_note if view.mask is None else f"mask: {view.mask_note}, the rest blue"
    titles = ["photo and crop box", *(f"level {side}: {side} x {side}" for side in patches.LEVELS)]
    top = labels(
        sheet, columns, y, titles, [f"{note}; crop box orange", *[""] * len(patches.LEVELS)]
    )
    ends = [_draw_photo(sheet, view, columns[0], top)]
    cut = cut_patches(view.crop)
    for side, (x, width) in zip(patches.LEVELS, columns[1:]):
        boxes = level_boxes(view.crop, side, x, top, width, PANEL_HEIGHT)
        ends.append(draw_level(sheet, cut, boxes, side))
    return max(ends)


def _draw_photo(sheet: Sheet, view: ProductView, column: tuple[float, float], y: float) -> float:
    """The photo with mask and crop box; returns its lower edge."""
    (height, width), (x, room) = view.photo.shape[:2], column
    size = fit((width, height), (room, PANEL_HEIGHT))
    photo = resize(view.photo if view.mask is None else with_mask(view.photo, view.mask), size)
    if view.mask is not None:
        outlines, _ = cv2.findContours(
            resize(view.mask.astype(np.uint8) * 255, size) // 128,
            cv2.RETR_EXTERNAL,
            cv2.CHAIN_APPROX_NONE,
        )
        photo = cv2.drawContours(photo.copy(), outlines, -1, (30, 60, 200), 1)
    x, y, wide, high = sheet.picture(x, y, photo)
    sheet.frame((x, y, wide, high), "#bbbbbb", 1)
    x1, x2, y1, y2 = (
        side * scale
        for side, scale in zip(
            view.crop_box, (wide / width, wide / width, high / height, high / height)
        )
    )
    sheet.frame((x + x1, y + y1, x2 - x1, y2 - y1), "#ff7f0e", 2.5)
    return y + high


def _draw_caption(sheet: Sheet, view: ProductView, y: float) -> float:
    """The caption, then those of its words that can be seen, each over the crop under its heat map,
    in rows.
    """
    if view.caption is None:
        return heading(sheet, y, "Caption", "no captioner was given")
    caption, regions = view.caption
    y = (
        heading(
            sheet,
            y,
            "Caption",
            "below: its words that can be seen, over the regions that show them (yellow: most)",
        )
        + 4
    )
    y = sheet.paragraph(LEFT, y, caption, WIDTH - 2 * LEFT) + 8
    size = fit((view.crop.shape[1], view.crop.shape[0]), (CAPTION_SIDE, CAPTION_SIDE))
    small, x, bottom = resize(view.crop, size), LEFT, y
    for region in regions:
        word = sheet.wrap(region.word, 2 * CAPTION_SIDE)[0]
        text_width, line = sheet.measure(word)
        if x + max(size[0], text_width) > WIDTH - LEFT and x > LEFT:
            x, y = LEFT, bottom + 10
        sheet.line(x, y, word)
        sheet.picture(x, y + line + 2, with_heat(small, region.heat))
        bottom = y + line + 2 + size[1]
        x += max(size[0], text_width) + 10
    return bottom


def _draw_example(sheet: Sheet, view: ProductView, y: float) -> float:
    """The example's text and, in the columns of the levels above, its patches; returns the lower
    edge.
    """
    example = view.example
    whose = (
        "its own text (label 1)"
        if example.drawn.matched
        else f"the text of product {view.text_owner} (label 0)"
    )
    y = heading(
        sheet,
        y,
        "One training example",
        f"example {example.drawn.position} of the run, in epoch {example.epoch}, with {whose}; "
        "masked red, replaced at random orange, kept but asked for blue; in green what is"
        " asked for",
    )
    tokens = [token_piece(token) for token in example.tokens]
    boxes = sheet.running_text(LEFT, y, tokens, WIDTH - 2 * LEFT)  # [CLS] and [SEP] at least
    y = max(top + height for _, top, _, height in boxes) + 16
    columns = sheet.columns(LEFT, 1 + len(patches.LEVELS), GAP)
    top = labels(sheet, columns, y, *example_labels(view))
    shown, ends = patches_shown(view.crop, view.donor_crop, example), []
    if example.camouflaged is not None:
        donor = level_boxes(view.donor_crop, 3, columns[0][0], top, columns[0][1], PANEL_HEIGHT)
        ends.append(
            draw_level(
                sheet,
                cut_patches(view.donor_crop),
                donor,
                3,
                changed=[example.donor_patch - patches.LEVEL_STARTS["camouflage"]],
            )
        )
    numbers = {2: [patches.LEVEL_STARTS["jigsaw"] + patch for patch in example.jigsaw]}
    changed = {
        3: [] if example.camouflaged is None else [example.camouflaged],
        4: example.grey,
        5: example.blank,
    }
    for side, (x, width) in zip(patches.LEVELS, columns[1:]):
        pixels = view.crop if side > 1 else shown[0]
        areas = level_boxes(pixels, side, x, top, width, PANEL_HEIGHT)
        ends.append(draw_level(sheet, shown, areas, side, numbers.get(side), changed.get(side, ())))
    return max(ends)


def token_piece(token: ShownToken) -> Piece:
    """A place of the example's text: as the model reads it, in green what is asked for."""
    if token.change == KEPT:
        return Piece(token.shown, "#999999" if token.shown.startswith("[") else "black")
    face, edge = CHANGE_COLOURS[token.change]
    return Piece(token.shown, face=face, edge=edge, note=token.true)


def example_labels(view: ProductView) -> tuple[list[str], list[str]]:
    """Title and note of the donor's column and of the five levels."""
    example, start = view.example, patches.LEVEL_STARTS

    def numbers(level, places):
        return ", ".join(str(start[level] + place) for place in places) or "none"

    hidden = example.camouflaged is not None
    titles = [
        "donor" if hidden else "",
        *(
            f"{roman} {name}"
            for roman, name in zip(ROMAN, ("turned", "shuffled", "camouflaged", "grey", "blank"))
        ),
    ]
    notes = [
        f"image {view.donor_name}, patch {example.donor_patch}" if hidden else "",
        f"by {patches.ROTATIONS[example.quarter_turns]} degrees counter-clockwise",
        f"patches {numbers('jigsaw', example.jigsaw)} in rows",
        (
            f"place {start['camouflage'] + example.camouflaged} shows the donor's patch"
            if hidden
            else "none"
        ),
        f"patches {numbers('grey_to_color', example.grey)}",
        f"patches {numbers('blank_to_color', example.blank)}",
    ]
    return titles, notes
