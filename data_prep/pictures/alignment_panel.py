"""The section of a product's picture that shows which words are aligned with which patches (section
3.3).
"""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from data_prep.alignment.alignments import ALIGNED_LEVELS, Alignments
from data_prep.pictures.patch_pictures import cut_patches, fit
from data_prep.pictures.picture_panels import (
    GAP,
    LEFT,
    PANEL_HEIGHT,
    WIDTH,
    draw_level,
    heading,
    level_boxes,
)
from data_prep.pictures.sheet import Box, Piece, Sheet
from kaleido_tf import patches
from kaleido_tf.words import Word

LINES_A_WORD = 6  # more would hide the picture; the best pairs are drawn
LINE_COLOURS = (
    "#d62728",
    "#1f77b4",
    "#2ca02c",
    "#9467bd",
    "#ff7f0e",
    "#17becf",
    "#e377c2",
    "#8c564b",
    "#bcbd22",
    "#4b4bd6",
    "#00876c",
    "#7f7f7f",
)
CUT_OFF = "#a0a0a0"


@dataclasses.dataclass(frozen=True)
class AlignedText:
    """A product's text: its word pieces, the whole words among them, the aligned (word piece,
    patch) pairs, and the places that training has for a text, [CLS] and [SEP] included.
    """

    pieces: Sequence[str]
    words: Sequence[Word]
    pairs: Alignments
    text_length: int


@dataclasses.dataclass(frozen=True)
class AlignedWord:
    """A word of the text and the patches (among the 55) that it is aligned with, best first."""

    word: Word
    patches: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Line:
    """A line from a word to a patch and the point (x, y) on the sheet where it ends."""

    word: Word
    patch: int
    end: tuple[float, float]


def aligned_words(text: AlignedText) -> list[AlignedWord]:
    """The words that have pairs, in the text's order."""
    aligned_words = []
    for word in text.words:
        inside = (text.pairs.tokens >= word.start) & (text.pairs.tokens < word.end)
        chosen, scores = text.pairs.patches[inside], text.pairs.scores[inside]
        if len(chosen):
            best_first = chosen[np.argsort(-scores, kind="stable")].tolist()
            aligned_words.append(AlignedWord(word, tuple(dict.fromkeys(best_first))))
    return aligned_words


def text_pieces(
    text: AlignedText, aligned: Sequence[AlignedWord]
) -> tuple[list[Piece], dict[Word, int]]:
    """The text as pieces, whole words and signs, and the number of each aligned word's piece.

    An aligned word has a box of its colour; what training cuts off is grey.
    """
    colours = {
        item.word: LINE_COLOURS[number % len(LINE_COLOURS)] for number, item in enumerate(aligned)
    }
    words = {word.start: word for word in text.words}
    pieces, number_of, place = [], {}, 0
    while place < len(text.pieces):
        word = words.get(place)
        label, end = (
            (word.text, word.end) if word else (text.pieces[place].removeprefix("##"), place + 1)
        )
        kept = end <= text.text_length - 2
        if word in colours:
            number_of[word] = len(pieces)
            pieces.append(
                Piece(label, "white", colours[word], colours[word])
                if kept
                else Piece(label, CUT_OFF, "white", colours[word])
            )
        else:
            pieces.append(
                Piece(
                    label, "black" if kept else CUT_OFF, glued=word is None and not label.isalnum()
                )
            )
        place = end
    return pieces, number_of


def draw_alignments(
    sheet: Sheet, text: AlignedText, crop: np.ndarray, y: float
) -> tuple[float, list[Line]]:
    """The text, the three levels that are aligned, and a line from each aligned word to each of its
    patches.

    Args: crop: [h, w, 3] uint8. Returns: (lower edge, lines drawn).
    """
    aligned = aligned_words(text)
    y = (
        heading(sheet, y, "Words and the patches they are aligned with", explanation(text, aligned))
        + 4
    )
    pieces, number_of = text_pieces(text, aligned)
    text_boxes = sheet.running_text(LEFT, y, pieces, WIDTH - 2 * LEFT, spacing=1.7)
    text_end = max([y, *(top + height for _, top, _, height in text_boxes)])
    if not aligned:
        return text_end, []
    top = text_end + 60 + min(8 * len(aligned), 100)  # many lines need room to part
    bottom, boxes = _draw_levels(sheet, crop, top)
    lines, shared = _lines(aligned, boxes), collections.Counter()
    for line in lines:
        number = number_of[line.word]
        colour, (x, y, width, height) = pieces[number].edge, text_boxes[number]
        left, up, wide, high = boxes[line.patch]
        inset = 3 * shared[line.patch]  # frames of words that share a patch lie inside each other
        shared[line.patch] += 1
        if 2 * inset < min(wide, high):
            sheet.frame((left + inset, up + inset, wide - 2 * inset, high - 2 * inset), colour, 2.5)
        # within the text straight down, not through it
        sheet.lead((x + width / 2, y + height), text_end, top - 6, line.end, colour)
    return bottom, lines


def explanation(text: AlignedText, aligned: Sequence[AlignedWord]) -> str:
    """How much of the text is aligned, and how much training does not see."""
    label = (
        f"{len(aligned)} of {len(text.words)} words have pairs"
        if aligned
        else "this record has no aligned pairs: masks are random"
    )
    cut_off = len(text.pieces) - (text.text_length - 2)
    return label + (
        f"; training cuts off the last {cut_off} word pieces (grey):"
        f" --input_sequence_length={text.text_length}"
        if cut_off > 0
        else ""
    )


def _draw_levels(sheet: Sheet, crop: np.ndarray, y: float) -> tuple[float, dict[int, Box]]:
    """The aligned levels side by side, each in the middle of its column: (lower edge, the box of
    each patch).
    """
    ends, boxes, cut = [], {}, cut_patches(crop)
    for level, (x, width) in zip(ALIGNED_LEVELS, sheet.columns(LEFT, len(ALIGNED_LEVELS), GAP)):
        side, start = patches.LEVELS[patches.LEVEL_NAMES.index(level)], patches.LEVEL_STARTS[level]
        wide = fit((crop.shape[1], crop.shape[0]), (width, PANEL_HEIGHT))[0]
        areas = level_boxes(crop, side, x + (width - wide) / 2, y, wide, PANEL_HEIGHT)
        ends.append(draw_level(sheet, cut, areas, side))
        boxes.update(zip(range(start, start + len(areas)), areas))
    return max(ends), boxes


def _lines(aligned: Sequence[AlignedWord], boxes: dict[int, Box]) -> list[Line]:
    """The lines to draw; those that go down one column of a level lie side by side."""
    pairs = [
        (item.word, patch)
        for item in aligned
        for patch in item.patches[:LINES_A_WORD]
        if patch in boxes
    ]
    columns: dict[float, list[int]] = {}
    for number, (_, patch) in enumerate(pairs):
        columns.setdefault(boxes[patch][0], []).append(number)
    lines = []
    for number, (word, patch) in enumerate(pairs):
        x, y, width, height = boxes[patch]
        column = columns[x]
        lines.append(
            Line(
                word,
                patch,
                (x + width * (column.index(number) + 1) / (len(column) + 1), y + height / 2),
            )
        )
    return lines
