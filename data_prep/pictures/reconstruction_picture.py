"""How MVLT reconstructs a masked photo, as one picture: what it sees, what it makes of it, and what
it takes the masked words for.

s = pixels a side of what the model sees, n = cells a side.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from data_prep.pictures.patch_pictures import resize
from data_prep.pictures.picture_panels import GAP, LEFT, QUIET, WIDTH, heading, labels
from data_prep.pictures.product_picture import token_piece
from data_prep.pictures.sheet import Sheet
from data_prep.pictures.shown_example import ShownToken

SIDE = 320


@dataclasses.dataclass(frozen=True)
class ReconstructionView:
    """All that a picture shows.

    Attributes:
      product_id, image_id, title, text: as in the record.
      photo, masked, reconstruction: [s, s, 3] uint8, what the model should give, sees and gives.
      masked_cells: [n, n] bool.
      tokens: the used places of the text as the model reads it. said: of each masked word piece the
        true one, the model's, and its probability.
      epoch: from 0. matched: whether the text is the photo's own; match_probability: what the model
        says of it.
    """

    product_id: str
    image_id: str
    title: str
    text: str
    photo: np.ndarray
    masked: np.ndarray
    masked_cells: np.ndarray
    reconstruction: np.ndarray
    tokens: Sequence[ShownToken]
    said: Sequence[tuple[str, str, float]]
    epoch: int
    matched: bool
    match_probability: float

    @property
    def masked_pixels(self) -> np.ndarray:
        """[s, s] bool."""
        cell = len(self.photo) // len(self.masked_cells)
        return self.masked_cells.repeat(cell, axis=0).repeat(cell, axis=1)

    @property
    def filled(self) -> np.ndarray:
        """The photo with the reconstruction in its masked cells, [s, s, 3] uint8."""
        return np.where(self.masked_pixels[..., None], self.reconstruction, self.photo)

    @property
    def plainly_filled(self) -> np.ndarray:
        """The same with the mean colour of what is seen, the yardstick of a reconstruction."""
        hidden = self.masked_pixels
        seen = self.photo[~hidden] if (~hidden).any() else np.full([1, 3], 127)
        return np.where(hidden[..., None], np.rint(seen.mean(axis=0)).astype(np.uint8), self.photo)


def noise_ratio(view: ReconstructionView, shown: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of what stands in the masked cells, inf of the photo."""
    hidden = view.masked_pixels
    difference = (shown[hidden].astype(float) - view.photo[hidden]) / 255
    error = (difference**2).mean() if difference.size else 0.0
    return float(-10 * np.log10(error)) if error else float("inf")


def draw_reconstruction(view: ReconstructionView) -> Sheet:
    """The whole picture, not yet written."""
    sheet, width = Sheet(WIDTH), WIDTH - 2 * LEFT
    y = sheet.paragraph(LEFT, 16, f"{view.product_id}   {view.title}", width, 15, bold=True)
    side = len(view.photo)
    y = sheet.paragraph(
        LEFT, y + 2, f"image {view.image_id} · {side} x {side} pixels", width, 9, QUIET
    )
    y = sheet.paragraph(LEFT, y + 4, view.text, width)
    y = _draw_photos(sheet, view, y + 14)
    _draw_words(sheet, view, y + 16)
    return sheet


def _draw_photos(sheet: Sheet, view: ReconstructionView, y: float) -> float:
    share = view.masked_cells.mean()
    y = heading(
        sheet,
        y,
        "Masked image reconstruction",
        f"a training example of epoch {view.epoch}; {share:.0%} of the cells are masked",
    )
    titles = ["photo", "what the model sees", "what it makes of it", "in the masked cells"]
    notes = [
        "",
        f"{len(view.masked_cells)} x {len(view.masked_cells)} cells",
        "the whole photo anew",
        f"{noise_ratio(view, view.reconstruction):.1f} dB there; the mean colour of what is seen"
        f" gives {noise_ratio(view, view.plainly_filled):.1f} dB",
    ]
    columns = sheet.columns(LEFT, len(titles), GAP)
    top = labels(sheet, columns, y, titles, notes)
    shown = [view.photo, view.masked, view.reconstruction, view.filled]
    for (x, width), pixels in zip(columns, shown, strict=True):
        room = int(min(SIDE, width))
        sheet.picture(x, top, resize(pixels, (room, room)))
    return top + min(SIDE, columns[0][1])


def _draw_words(sheet: Sheet, view: ReconstructionView, y: float) -> None:
    whose = "its own text (label 1)" if view.matched else "another product's text (label 0)"
    y = heading(
        sheet,
        y,
        "Words",
        f"with {whose}; the model says {view.match_probability:.0%} that they belong together;"
        " masked red, replaced at random orange, kept but asked for blue",
    )
    pieces = [token_piece(token) for token in view.tokens]
    boxes = sheet.running_text(LEFT, y, pieces, WIDTH - 2 * LEFT)
    y = max(top + height for _, top, _, height in boxes) + 10
    said = "   ".join(f"{true} → {ours} ({share:.0%})" for true, ours, share in view.said)
    sheet.paragraph(LEFT, y, f"what the model takes them for:   {said}", WIDTH - 2 * LEFT, 10)
