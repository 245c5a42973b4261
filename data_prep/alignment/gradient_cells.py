"""Where the edges of a photo lie and which way they run, in a few cells: what `phrase_maps`
explains by the words of a text.

Colours and light are left out: they vary with the product, not with its parts, and on the drawn
catalogue cells of edges alone placed more parts rightly.
"""

import concurrent.futures
import os
from collections.abc import Iterable

import cv2
import numpy as np

from data_prep.alignment.feature_maps import square
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.records.record import Record

CELLS = 20
DIRECTIONS = 4
_CELL_PIXELS = 8


class GradientCells:
    """The cells of records, made from their photos."""

    def __init__(self, photos: RecordPhotos):
        self._photos = photos

    def of(self, records: Iterable[Record]) -> np.ndarray:
        """[records, CELLS, CELLS, DIRECTIONS] float32. Raises: InputError for a photo that cannot
        be had.
        """
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.stack(list(pool.map(self._cells, records)))

    def _cells(self, record: Record) -> np.ndarray:
        crop = self._photos.crop(record.image_id, record.image_size, record.crop_box)
        return gradient_cells(crop)


def gradient_cells(crop: np.ndarray) -> np.ndarray:
    """A crop [h, w, 3] uint8 RGB, laid over CELLS x CELLS cells: the root of the mean strength of
    its edges of each of four directions, [CELLS, CELLS, DIRECTIONS] float32.
    """
    grey = cv2.cvtColor(square(crop, CELLS * _CELL_PIXELS), cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(grey.astype(np.float32), (3, 3), 0)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    # 0 to 4, where 4 is 0 again: an edge has no sign
    direction = np.mod(np.arctan2(down, across), np.pi) * DIRECTIONS / np.pi
    apart = np.abs(direction[..., None] - np.arange(DIRECTIONS))
    shares = np.maximum(1 - np.minimum(apart, DIRECTIONS - apart), 0)
    strength = np.hypot(across, down)[..., None] * shares
    means = strength.reshape(CELLS, _CELL_PIXELS, CELLS, _CELL_PIXELS, DIRECTIONS).mean((1, 3))
    return np.sqrt(means).astype(np.float32)
