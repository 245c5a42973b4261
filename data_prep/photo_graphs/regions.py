"""Connected regions of masks in TensorFlow's operations: what `border_contrast` has of OpenCV.

H, W = size in pixels.
"""

import tensorflow as tf


def region_numbers(mask: tf.Tensor, corners: bool = True) -> tf.Tensor:
    """[H, W] bool -> [H, W] int32: 0 outside, else a number that the pixels of a region share and
    no other has, 1 to H * W.

    Args: corners: whether pixels that meet in a corner are connected.
    """
    size = tf.size(mask)
    own = tf.reshape(tf.range(1, size + 1), tf.shape(mask))
    inside = tf.cast(mask, tf.int32)

    def spread(numbers, _):
        largest = _largest_around(numbers, corners) * inside
        moved = tf.reduce_any(largest != numbers)
        # A number is a pixel's place, and the pixel may have heard of a larger one already.
        for _ in range(2):
            heard = tf.concat([[0], tf.reshape(largest, [-1])], 0)
            largest = tf.gather(heard, largest)
        return largest, moved

    numbers, _ = tf.while_loop(lambda _, moved: moved, spread, (own * inside, True))
    return numbers


def _largest_around(numbers, corners: bool):
    """[H, W]: the largest of each pixel and those next to it."""
    padded = tf.pad(numbers, [[1, 1], [1, 1]])
    down = tf.maximum(tf.maximum(padded[:-2], padded[1:-1]), padded[2:])
    if corners:
        return tf.maximum(tf.maximum(down[:, :-2], down[:, 1:-1]), down[:, 2:])
    across = tf.maximum(padded[1:-1, :-2], padded[1:-1, 2:])
    return tf.maximum(down[:, 1:-1], across)


def regions_with(mask: tf.Tensor, marks: tf.Tensor) -> tf.Tensor:
    """The regions of `mask` [H, W] bool that hold a true pixel of `marks` [H, W] bool."""
    numbers = region_numbers(mask)
    marked = tf.math.unsorted_segment_max(
        tf.reshape(tf.cast(marks, tf.int32), [-1]), tf.reshape(numbers, [-1]), tf.size(mask) + 1
    )
    return (tf.gather(marked, numbers) > 0) & mask


def large_regions(mask: tf.Tensor, share: float) -> tf.Tensor:
    """The regions of `mask` [H, W] bool with at least `share` of the largest one's area."""
    numbers = region_numbers(mask)
    areas = tf.math.bincount(tf.reshape(numbers, [-1]), minlength=tf.size(mask) + 1)
    largest = tf.reduce_max(areas[1:])
    needed = share * tf.cast(tf.maximum(largest, 1), tf.float64)
    return mask & (tf.cast(tf.gather(areas, numbers), tf.float64) >= needed)


def without_holes(mask: tf.Tensor) -> tf.Tensor:
    """`mask` [H, W] bool and what it encloses."""
    outside = region_numbers(~tf.pad(mask, [[1, 1], [1, 1]]), corners=False)
    return (outside != outside[0, 0])[1:-1, 1:-1]


def closed(mask: tf.Tensor, side: int) -> tf.Tensor:
    """`mask` [H, W] bool grown and shrunk again by a square of `side` pixels; what is beyond the
    picture changes nothing.
    """
    grown = _largest_in(tf.cast(mask, tf.float32), side)
    return -_largest_in(-grown, side) > 0


def _largest_in(values, side: int):
    return tf.nn.max_pool2d(values[None, ..., None], side, 1, "SAME")[0, ..., 0]
