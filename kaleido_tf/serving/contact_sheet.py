"""A picture of the photos that were found, the best first, row by row."""

import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from data_prep.pictures.sheet import MARGIN, NOTE_SIZE, Sheet
from kaleido_tf.serving.answers import Found
from kaleido_tf.serving.photos import Photos

COLUMNS = 4
SIDE = 220
"""Pixels of the square that a photo fits in."""
GAP = 12
LINES = 2
"""Of a title; what is longer is cut off."""


def write_sheet(found: Sequence[Found], photos: Photos, path: str | os.PathLike) -> None:
    """Writes a PNG. Args: photos: of the catalogue; a photo that it lacks is said in its place.

    Raises: InputError for a photo that cannot be read, or a file that cannot be written.
    """
    columns = min(COLUMNS, len(found))
    sheet = Sheet(2 * MARGIN + columns * SIDE + (columns - 1) * GAP)
    top = MARGIN
    for start in range(0, len(found), columns):
        row = enumerate(found[start : start + columns])
        ends = [_cell(sheet, MARGIN + n * (SIDE + GAP), top, one, photos) for n, one in row]
        top = max(ends) + GAP
    sheet.save(path)


def _cell(sheet: Sheet, x: float, y: float, one: Found, photos: Photos) -> float:
    """One product; returns where it ends."""
    pixels = photos.pixels(one.image_id)
    if pixels is None:
        sheet.paragraph(x, y, f"the catalogue has no photo {one.image_id}", SIDE, NOTE_SIZE)
    else:
        sheet.picture(x, y, _fitted(pixels))
    y += SIDE
    match = "" if one.probability is None else f", match {one.probability:.0%}"
    said = f"{one.product_id}, score {one.score:.2f}{match}"
    y = sheet.paragraph(x, y, said, SIDE, NOTE_SIZE, "#555555")
    for line in sheet.wrap(str(one.fields.get("title", "")), SIDE)[:LINES]:
        _, _, _, height = sheet.line(x, y, line)
        y += height
    return y


def _fitted(pixels: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE))
    return np.asarray(picture)
