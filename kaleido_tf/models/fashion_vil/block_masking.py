"""Which cells of a photo are masked for FashionViL's masked patch feature classification: blocks as
BEiT (2022) draws them, algorithm 1, with the release's numbers.

n = cells a side. True is masked. Blocks are added until the count is reached. The sides of a block
follow from its area, uniform between four cells and what is still wanted (in whichever order the
two stand), and its aspect ratio, log-uniform. A block must be smaller than the grid on both
sides and add at least one cell and no more than wanted; after ten that do not, the mask stays as it
is. So a mask may have a cell or two less than the count: of 20,000 of the release's, 551 do.
"""

import math
import random

import numpy as np
import tensorflow as tf

from kaleido_tf.data.sampling import Draw, fold

RELEASE_CELLS = 7
RELEASE_MASKED = 8
RELEASE_LEAST_AREA = 4
LEAST_ASPECT = 0.3
"""Height to width of the widest block; the tallest has its inverse."""
ATTEMPTS = 10


def masked_count(cells: int) -> int:
    """How many cells of a grid are to be masked: the release's share, 8 of 49, rounded, at
    least 1.
    """
    return max(1, round(cells**2 * RELEASE_MASKED / RELEASE_CELLS**2))


def release_mask(
    draws: random.Random, cells: int = RELEASE_CELLS, masked: int = RELEASE_MASKED
) -> np.ndarray:
    """[n * n] bool, row by row: the mask that the release's code gives with Python's generator in
    the same state. Slow, and with a state: `draw_block_mask` is for training.

    Args: masked: how many cells are wanted.
    Raises: ValueError as `draw_block_mask`.
    """
    _check(cells, masked)
    mask = np.zeros([cells, cells], bool)
    while (wanted := masked - int(mask.sum())) > 0:
        blocks = (_release_block(draws, cells, masked, wanted) for _ in range(ATTEMPTS))
        fitting = (b for b in blocks if b and 0 < (~mask[b]).sum() <= wanted)
        block = next(fitting, None)
        if block is None:
            break
        mask[block] = True
    return mask.ravel()


def _release_block(draws, cells, masked, wanted):
    """Rows and columns of a block as slices; None if it is as large as the grid."""
    area = draws.uniform(_least_area(masked), wanted)
    aspect = math.exp(draws.uniform(math.log(LEAST_ASPECT), -math.log(LEAST_ASPECT)))
    height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
    if height >= cells or width >= cells:
        return None
    top, left = draws.randint(0, cells - height), draws.randint(0, cells - width)
    return slice(top, top + height), slice(left, left + width)


def draw_block_mask(seed: tf.Tensor, cells: int, masked: int) -> tf.Tensor:
    """[n, n] bool: the masked cells of one photo, by the rules of `release_mask`.

    Args: seed: [2] of the example. cells: n. masked: how many are wanted.
    Raises: ValueError for a grid of fewer than 2 cells a side, which no block is smaller than, or a
      count that is not from 1 to n * n.
    """
    _check(cells, masked)
    # every block that is painted adds a cell, so that there are at most `masked` times ten attempts
    draws = tf.random.stateless_uniform([masked * ATTEMPTS, 4], fold(seed, Draw.IMAGE_BLOCKS))

    def goes_on(_, failures, mask):
        return (failures < ATTEMPTS) & (_count(mask) < masked)

    def attempt(number, failures, mask):
        wanted = masked - _count(mask)
        block = _block(draws[number], cells, masked, wanted)
        added = _count(block & ~mask)
        fits = (added > 0) & (added <= wanted)
        return number + 1, tf.where(fits, 0, failures + 1), tf.where(fits, mask | block, mask)

    start = (tf.constant(0), tf.constant(0), tf.zeros([cells, cells], tf.bool))
    return tf.while_loop(goes_on, attempt, start)[2]


def _block(draws, cells, masked, wanted):
    """[n, n] bool: the block of four draws in [0, 1); no cell at all if it is as large as the
    grid.
    """
    least, most = float(_least_area(masked)), tf.cast(wanted, tf.float32)
    area = least + (most - least) * draws[0]
    aspect = tf.exp(math.log(LEAST_ASPECT) * (1 - 2 * draws[1]))
    sides = tf.cast(tf.round(tf.sqrt(tf.stack([area * aspect, area / aspect]))), tf.int32)
    starts = tf.cast(draws[2:] * tf.cast(cells - sides + 1, tf.float32), tf.int32)
    places = tf.range(cells)
    rows, columns = ((places >= starts[s]) & (places < starts[s] + sides[s]) for s in (0, 1))
    return rows[:, None] & columns & tf.reduce_all(sides < cells)


def _least_area(masked: int) -> int:
    """The release's 4 cells; half of a count below its 8, which few blocks of 4 would fit."""
    return min(RELEASE_LEAST_AREA, max(1, masked // 2))


def _count(mask):
    return tf.reduce_sum(tf.cast(mask, tf.int32))


def _check(cells, masked):
    if cells < 2 or not 1 <= masked <= cells**2:
        raise ValueError(
            "`cells` must be at least 2 and `masked` from 1 to their number."
            f" Received: cells={cells}, masked={masked}"
        )
