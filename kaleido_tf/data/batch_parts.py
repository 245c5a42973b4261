"""The part of every batch that one of several workers computes.

A part is (index, how many there are): as many rows of each batch, one after the other, as every
other part has; of a smaller last batch one more or less. It is taken before anything is decoded,
and what stands in a batch does not hang on how many share it.
"""

import numpy as np
import tensorflow as tf

Part = tuple[int, int]
WHOLE: Part = (0, 1)


def in_part(place, batch_size: int, part: Part, total: int | None = None):
    """Whether the row at a place, counted from the start of a batch, is of a part; of numbers,
    arrays and tensors. Args: total: rows of all batches; None: no end.
    """
    within, rows = place % batch_size, batch_size
    if total is not None:
        least = tf.minimum if tf.is_tensor(place) else np.minimum
        rows = least(place - within + batch_size, total) - (place - within)
    first, end = _borders(rows, part)
    return (within >= first) & (within < end)


def _borders(rows, part: Part):
    """Of a part within so many rows; the first parts have one more, as of TensorFlow's replicas."""
    index, count = part
    return -(-rows * index // count), -(-rows * (index + 1) // count)


def rows_of_part(
    rows: tf.data.Dataset, batch_size: int, part: Part, total: int | None = None
) -> tf.data.Dataset:
    """Those of the rows, the first of which begins a batch, that are of a part."""
    if part == WHOLE:
        return rows
    mine = rows.enumerate().filter(lambda place, _: in_part(place, batch_size, part, total))
    return mine.map(lambda _, row: row)


def batches_of_part(
    rows: tf.data.Dataset, batch_size: int, part: Part, total: int | None = None
) -> tf.data.Dataset:
    """Batches of a part's rows, as many as every other part has.

    Args: total: rows of all parts together, the last of which may make a smaller batch, or none of
      this part: then it is empty, as the workers must take every step together. None: no end.
    """
    batches = rows.batch(batch_size // part[1], drop_remainder=total is None)
    rest = 0 if total is None else total % batch_size
    first, end = _borders(rest, part)
    return batches.concatenate(_empty(batches.element_spec)) if rest and first == end else batches


def _empty(spec) -> tf.data.Dataset:
    empty = tf.nest.map_structure(
        lambda each: tf.zeros([0, *(size or 0 for size in each.shape[1:])], each.dtype), spec
    )
    return tf.data.Dataset.from_tensors(empty)
