"""Pixel records whose photos no mean colour brings back: chequers and stripes on white."""

import pathlib

import numpy as np

from kaleido_tf.records.photo import RAW, raw_photo
from tests import pixel_records
from tests.pixel_records import COLOURS

SIDE = 8


def pixels_of(number: int, side: int = SIDE) -> np.ndarray:
    """[side, side, 3] uint8: pixels of the product's colour like a chessboard, or stripes of it."""
    places = np.indices([side, side])
    marked = (places[0] + (number // 4 % 2) * places[1]) % 2 == number // 8 % 2
    colour = list(COLOURS.values())[number % len(COLOURS)]
    return np.where(marked[..., None], np.array(colour, np.uint8), np.uint8(255))


def write(folder: pathlib.Path, count: int, per_shard: int = 7, side: int = SIDE) -> pathlib.Path:
    """Writes `count` records of such photos."""
    return pixel_records.write(
        folder,
        count,
        per_shard,
        side,
        RAW,
        lambda number: {"photo": raw_photo(pixels_of(number, side))},
    )
