"""The product's crop of a photo in TensorFlow's operations: which box, and its working size; see
`data_prep.foreground.crops` and `working_crops`.

H, W = size of a photo in pixels. Boxes are x1, x2, y1, y2 in pixels, half-open.
"""

from collections.abc import Callable

import tensorflow as tf

from data_prep.foreground import crops, product_crops, saliency
from data_prep.foreground.working_crops import WORKING_MULTIPLE
from data_prep.photo_graphs.border_graph import touches_all_edges
from data_prep.photo_graphs.regions import large_regions
from data_prep.photo_graphs.resizing import resize, shrink


class NetworkMask:
    """[H, W, 3] uint8 RGB -> [H, W] bool: the product, by a trained network
    (`saliency.SaliencyNet`).

    Attributes: variables: that it reads.
    """

    def __init__(self, network: saliency.SaliencyNet):
        self._side, self._model = network.settings.side, network.model
        self.variables = network.model.variables

    def __call__(self, photo: tf.Tensor) -> tf.Tensor:
        """The mask."""
        height, width = tf.shape(photo)[0], tf.shape(photo)[1]
        square, (top, left, rows, columns) = self._letter_box(photo)
        logits = self._model(saliency.prepare(square[None]), training=False)[0]
        probabilities = tf.sigmoid(logits[top : top + rows, left : left + columns])
        found = resize(probabilities, height, width)[..., 0] > saliency.THRESHOLD
        return large_regions(found, product_crops.PIECES)

    def _letter_box(self, photo):
        sides = tf.cast(tf.shape(photo)[:2], tf.float64)
        scale = self._side / tf.reduce_max(sides)
        rows, columns = tf.unstack(tf.maximum(1, tf.cast(tf.round(scale * sides), tf.int32)))
        small = tf.cond(
            scale < 1, lambda: shrink(photo, rows, columns), lambda: resize(photo, rows, columns)
        )
        top, left = (self._side - rows) // 2, (self._side - columns) // 2
        grey = tf.constant(saliency.GREY, tf.int32)
        around = [[top, self._side - rows - top], [left, self._side - columns - left], [0, 0]]
        square = tf.pad(tf.cast(small, tf.int32) - grey, around) + grey
        square = tf.ensure_shape(square, [self._side, self._side, 3])
        return tf.cast(square, tf.uint8), (top, left, rows, columns)


def working_crop(photo: tf.Tensor, find_mask: Callable | None, crop_size: int) -> tf.Tensor:
    """[H, W, 3] uint8 -> [h, w, 3] uint8: the product at its working size.

    Args: find_mask: [H, W, 3] uint8 -> [H, W] bool; None keeps the whole photo.
    """
    if find_mask is not None:
        x1, x2, y1, y2 = _box_of_mask(find_mask(photo))
        photo = photo[y1:y2, x1:x2]
    rows, columns = tf.shape(photo)[0], tf.shape(photo)[1]
    height, width = _working_size(rows, columns, crop_size)
    return tf.cond(
        rows * columns > width * height,
        lambda: shrink(photo, height, width),
        lambda: resize(photo, height, width),
    )


def _box_of_mask(mask):
    """x1, x2, y1, y2 around the true pixels of `mask` [H, W], or the whole picture where it is no
    product.
    """
    height, width = tf.shape(mask)[0], tf.shape(mask)[1]
    share = tf.reduce_mean(tf.cast(mask, tf.float64))
    degenerate = (share < crops.MIN_AREA) | (share > crops.MAX_AREA) | touches_all_edges(mask)
    y1, y2 = _with_margin(tf.reduce_any(mask, 1), height)
    x1, x2 = _with_margin(tf.reduce_any(mask, 0), width)
    whole = tf.stack([0, width, 0, height])
    return tf.unstack(tf.where(degenerate, whole, tf.stack([x1, x2, y1, y2])))


def _with_margin(there, size):
    """First and last place of `there` [size] bool and the margin around them."""
    places = tf.cast(tf.where(tf.concat([there, [True]], 0))[:, 0], tf.int32)
    first, last = places[0], tf.reduce_max(places[:-1]) + 1
    margin = tf.round(crops.MARGIN * tf.cast(last - first, tf.float64))
    margin = tf.maximum(1, tf.cast(margin, tf.int32))
    return tf.maximum(0, first - margin), tf.minimum(size, last + margin)


def _working_size(rows, columns, crop_size: int):
    """(height, width), as `working_crops.working_size`."""
    long, short = (tf.cast(of(rows, columns), tf.float64) for of in (tf.maximum, tf.minimum))
    short = tf.cast(tf.round(short * crop_size / long / WORKING_MULTIPLE), tf.int32)
    least = max(crop_size // 4, WORKING_MULTIPLE)
    short = tf.clip_by_value(short * WORKING_MULTIPLE, least, crop_size)
    wide = columns >= rows
    return tf.where(wide, short, crop_size), tf.where(wide, crop_size, short)
