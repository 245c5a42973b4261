"""Which cells of a photo are masked for its reconstruction (MVLT, "MIR"), and the masked photo.

n = cells a side. True is masked.
"""

import tensorflow as tf

from kaleido_tf.data.sampling import Draw, fold

MASKED_PIXEL = 1e-6
"""What the release paints masked cells with, of [0, 1]."""

MASKS = ("exact", "release")


def draw_grid(seed: tf.Tensor, cells: int, share: float, mask: str) -> tf.Tensor:
    """[n, n] bool: the masked cells of one photo.

    Args: seed: [2] of the example. cells: n. share: of them, to be masked. mask: `exact` masks that
      share of every photo; `release` as its code does, see `grid_of_orders`.
    """
    flags = tf.random.experimental.stateless_shuffle(
        tf.range(cells**2), fold(seed, Draw.IMAGE_CELLS)
    )
    draws = tf.random.stateless_uniform([cells, cells], fold(seed, Draw.IMAGE_ROWS))
    step = {"exact": cells, "release": 1}[mask]
    return grid_of_orders(flags, tf.argsort(draws, axis=1), share, step)


def grid_of_orders(
    flag_order: tf.Tensor, row_orders: tf.Tensor, share: float, step: int
) -> tf.Tensor:
    """[n, n] bool from the orders that were drawn.

    n * n flags, int(share * n * n) of them true, are shuffled. Row i takes the n flags from place i
    * step on and shuffles them once more. With step n every flag is used once. The release moves on
    by 1, so that it uses 2n - 1 of the flags, its rows resemble each other, and the share varies
    (of 0.5, n = 16: from 0.12 to 0.80).

    Args: flag_order: [n * n] int, which flag (the first ones are false) comes at which place.
      row_orders: [n, n] int, for each row which of its flags comes at which column.
    """
    cells = row_orders.shape[0]
    masked = flag_order >= cells**2 - int(share * cells**2)
    places = tf.range(cells)[:, None] * step + tf.cast(row_orders, tf.int32)
    return tf.gather(masked, places)


def paint(photos: tf.Tensor, masked: tf.Tensor) -> tf.Tensor:
    """Photos [B, H, W, 3] float whose masked cells ([B, n, m] bool) are `MASKED_PIXEL`."""
    height, width = (photos.shape[axis] // masked.shape[axis] for axis in (1, 2))
    pixels = tf.repeat(tf.repeat(masked, height, axis=1), width, axis=2)
    return tf.where(pixels[..., None], tf.constant(MASKED_PIXEL, photos.dtype), photos)
