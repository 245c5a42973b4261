"""A sheet to lay pictures and texts out on, in pixels: x to the right, y down; it is as long as
what was put on it.

A box is (x, y, width, height). Texts are measured before they are drawn, so that nothing has to
overlap.
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from kaleido_tf.files.whole_files import appears_whole

DPI = 100
TEXT_SIZE = 10.0  # points; at 100 dpi 14 pixels high
NOTE_SIZE, NOTE_COLOUR = 8.0, "#1a7f37"
MARGIN = 12  # pixels below the lowest thing
_PAD = 3  # pixels between a boxed text and its box

Box = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of a running text. `face`, `edge`: colours of the box behind it, if it has one.
    `glued`: it follows the piece before it without a blank and on the same line. `note`: small text
    that belongs to it, after it.
    """

    text: str
    colour: str = "black"
    face: str = ""
    edge: str = ""
    glued: bool = False
    note: str = ""

    @property
    def is_boxed(self) -> bool:
        return bool(self.face or self.edge)


def printable(text: str) -> str:
    """A text with the numbers of those characters that the font has no picture of: vocabularies
    hold scripts of all the world.
    """
    font = get_font(findfont(FontProperties()))
    return "".join(sign if font.get_char_index(ord(sign)) else f"<{ord(sign):X}>" for sign in text)


class Sheet:
    """An empty sheet of `width` pixels."""

    def __init__(self, width: int):
        self.width, self._bottom, self._drawn = width, 0.0, 0
        self._figure = Figure(figsize=(width / DPI, 1), dpi=DPI, facecolor="white")
        self._canvas = FigureCanvasAgg(self._figure)
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.autoscale(False)
        self._axes.set_xlim(0, width)

    def measure(
        self, text: str, size: float = TEXT_SIZE, bold: bool = False
    ) -> tuple[float, float]:
        """(width, line height) of one line of text, as `line` draws it."""
        font = FontProperties(size=size, weight="bold" if bold else "normal")
        width, _, _ = self._canvas.get_renderer().get_text_width_height_descent(
            printable(text), font, ismath=False
        )
        return width, round(size * DPI / 72 * 1.3)

    def wrap(
        self, text: str, width: float, size: float = TEXT_SIZE, bold: bool = False
    ) -> list[str]:
        """The lines of a text that are no wider than `width`; a word that is wider alone is cut."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if self.measure(longer, size, bold)[0] <= width:
                lines[-1] = longer
                continue
            if lines[-1]:
                lines.append("")
            for character in word:
                if lines[-1] and self.measure(lines[-1] + character, size, bold)[0] > width:
                    lines.append("")
                lines[-1] += character
        return lines

    def line(
        self,
        x: float,
        y: float,
        text: str,
        size: float = TEXT_SIZE,
        colour: str = "black",
        bold: bool = False,
        layer: int = 0,
    ) -> Box:
        """One line of text whose upper left corner is (x, y)."""
        width, height = self.measure(text, size, bold)
        self._axes.text(
            x,
            y + 0.77 * height,
            printable(text),
            size=size,
            color=colour,
            weight="bold" if bold else "normal",
            va="baseline",
            parse_math=False,
            zorder=self._above(layer),
        )
        return self._occupy((x, y, width, height))

    def paragraph(
        self,
        x: float,
        y: float,
        text: str,
        width: float,
        size: float = TEXT_SIZE,
        colour: str = "black",
        bold: bool = False,
    ) -> float:
        """A wrapped text; returns where the next thing below it can begin."""
        for line in self.wrap(text, width, size, bold):
            _, _, _, height = self.line(x, y, line, size, colour, bold)
            y += height
        return y

    def running_text(
        self, x: float, y: float, pieces: Sequence[Piece], width: float, spacing: float = 1.4
    ) -> list[Box]:
        """Pieces side by side, wrapped at `width`; `spacing`: of lines, in line heights. Returns
        the box of each piece's text.
        """
        boxes, left = [], x
        blank, height = 5, self.measure("n")[1]
        sizes = [self._piece_size(piece) for piece in pieces]
        for number, piece in enumerate(pieces):
            text_width, note_width = sizes[number]
            if not piece.glued:
                end = next(
                    (n for n in range(number + 1, len(pieces)) if not pieces[n].glued), len(pieces)
                )
                together = sum(sum(size) for size in sizes[number:end])  # signs do not begin a line
                x += blank if x > left else 0
                if x + together > left + width:
                    x, y = left, y + spacing * height
            boxes.append((x, y, text_width, height))
            self._draw_piece(piece, boxes[-1])
            x += text_width + note_width
        return boxes

    def _piece_size(self, piece: Piece) -> tuple[float, float]:
        """Widths of a piece's text with its box, and of its note."""
        text = self.measure(piece.text)[0] + (2 * _PAD if piece.is_boxed else 0)
        return text, self.measure(piece.note, NOTE_SIZE)[0] + 2 * _PAD if piece.note else 0

    def _draw_piece(self, piece: Piece, box: Box) -> None:
        x, y, width, _ = box
        self.frame(box, piece.edge or piece.face or "white", 1, piece.face or "white", layer=2)
        self.line(x + (_PAD if piece.is_boxed else 0), y, piece.text, colour=piece.colour, layer=2)
        if piece.note:
            self.line(x + width + _PAD, y + 2, piece.note, NOTE_SIZE, NOTE_COLOUR, layer=2)

    def picture(self, x: float, y: float, pixels: np.ndarray) -> Box:
        """A picture [h, w, 3] uint8 at its own size."""
        x, y, (height, width) = round(x), round(y), pixels.shape[:2]
        self._axes.imshow(
            pixels,
            extent=(x, x + width, y + height, y),
            aspect="auto",
            interpolation="nearest",
            zorder=self._above(0),
        )
        return self._occupy((x, y, width, height))

    def frame(
        self, box: Box, colour: str, thickness: float = 1.5, face: str = "", layer: int = 0
    ) -> None:
        x, y, width, height = box
        self._axes.add_patch(
            Rectangle(
                (x, y),
                width,
                height,
                linewidth=thickness * 72 / DPI,
                edgecolor=colour,
                facecolor=face or "none",
                zorder=self._above(layer),
            )
        )
        self._occupy(box)

    def lead(
        self,
        start: tuple[float, float],
        leave: float,
        bend: float,
        end: tuple[float, float],
        colour: str,
    ) -> None:
        """A line from `start` straight down to the height `leave`, across to `bend`, and straight
        down to `end`, where it has a dot.

        It lies beneath running texts; the four stand in this order from above to below.
        """
        (x1, y1), (x2, y2) = start, end
        half = (leave + bend) / 2
        path = Path(
            [(x1, y1), (x1, leave), (x1, half), (x2, half), (x2, bend), (x2, y2)],
            [Path.MOVETO, Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO],
        )
        # white beneath, so that crossing lines can be told apart
        for shade, thickness in (("white", 3.0), (colour, 1.5)):
            self._axes.add_patch(
                PathPatch(
                    path,
                    fill=False,
                    edgecolor=shade,
                    linewidth=thickness * 72 / DPI,
                    zorder=self._above(1),
                    capstyle="round",
                )
            )
        self._axes.plot(
            [x2],
            [y2],
            "o",
            color=colour,
            markeredgecolor="white",
            markersize=5,
            zorder=self._above(1),
        )

    def rule(self, y: float, start: float, end: float) -> None:
        self._axes.plot([start, end], [y, y], color="#999999", linewidth=0.8, zorder=self._above(0))

    def columns(self, left: float, count: int, gap: float) -> Sequence[tuple[float, float]]:
        """(x, width) of `count` columns between equal margins of `left` pixels."""
        width = (self.width - 2 * left - (count - 1) * gap) / count
        return [(left + number * (width + gap), width) for number in range(count)]

    def _above(self, layer: int) -> int:
        """What is drawn later lies above, but for layers: 0, above it 1 (lines) and 2 (running
        texts).
        """
        self._drawn += 1
        return layer * 1_000_000 + self._drawn

    def _occupy(self, box: Box) -> Box:
        self._bottom = max(self._bottom, box[1] + box[3])
        return box

    @property
    def height(self) -> int:
        return int(np.ceil(self._bottom)) + MARGIN

    def save(self, path: str | os.PathLike) -> None:
        """Writes one PNG of `width` x `height` pixels. Raises: InputError if the disk refuses."""
        self._figure.set_size_inches(self.width / DPI, self.height / DPI)
        self._axes.set_xlim(0, self.width)
        self._axes.set_ylim(self.height, 0)
        with appears_whole(path) as partial:
            self._canvas.print_png(str(partial))
