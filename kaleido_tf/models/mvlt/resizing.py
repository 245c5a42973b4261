"""Bilinear resizing of maps to a known size, as two products with constant matrices: the kind that
keeps the corners is not in `tf.image`, and a product has a plain gradient on every device.
"""

import numpy as np
import tensorflow as tf


def resize(maps: tf.Tensor, size: tuple[int, int], align_corners: bool) -> tf.Tensor:
    """[B, h, w, C] of a known h and w -> [B, H, W, C], without antialiasing.

    Args:
      size: H, W.
      align_corners: the centres of the corner cells stay where they are; False: the corners of the
        whole area do (half-pixel centres).
    """
    rows, columns = (
        tf.constant(_weights(before, after, align_corners), maps.dtype)
        for before, after in zip(maps.shape[1:3], size)
    )
    return tf.einsum("Hh,bhwc,Ww->bHWc", rows, maps, columns)


def _weights(before: int, after: int, align_corners: bool) -> np.ndarray:
    """[after, before]: how much of each old cell is in a new one."""
    cells = np.arange(after)
    if align_corners:
        places = cells * ((before - 1) / max(after - 1, 1))
    else:
        places = np.clip((cells + 0.5) * (before / after) - 0.5, 0, before - 1)
    lower = np.minimum(places.astype(int), before - 1)
    upper = np.minimum(lower + 1, before - 1)
    share = places - lower
    weights = np.zeros([after, before])
    np.add.at(weights, (cells, lower), 1 - share)
    np.add.at(weights, (cells, upper), share)
    return weights
