"""The part of every batch that one of several workers computes.

A part is (index, how many there are): rows `index * size` to `(index + 1) * size` of each batch of
`how many * size`. It is taken before anything is decoded, and what stands in a batch does not hang
on how many share it.
"""

import tensorflow as tf

Part = tuple[int, int]
WHOLE: Part = (0, 1)


def in_part(place, batch_size: int, part: Part):
    """Whether the row at a place, counted from the start of a batch, is of a part; of numbers,
    arrays and tensors.
    """
    index, count = part
    return place % batch_size // (batch_size // count) == index


def rows_of_part(rows: tf.data.Dataset, batch_size: int, part: Part) -> tf.data.Dataset:
    """Those of the rows, the first of which begins a batch, that are of a part."""
    if part == WHOLE:
        return rows
    mine = rows.enumerate().filter(lambda place, _: in_part(place, batch_size, part))
    return mine.map(lambda _, row: row)


def batches_of_part(
    rows: tf.data.Dataset, batch_size: int, part: Part, total: int | None = None
) -> tf.data.Dataset:
    """Batches of a part's rows, as many as every other part has.

    Args: total: rows of all parts together, the last of which may make a smaller batch, or none of
      this part: then it is empty, as the workers must take every step together. None: no end.
    """
    index, count = part
    size = batch_size // count
    batches = rows.batch(size, drop_remainder=total is None)
    if total is not None and 0 < total % batch_size <= index * size:
        batches = batches.concatenate(_empty(batches.element_spec))
    return batches


def _empty(spec) -> tf.data.Dataset:
    empty = tf.nest.map_structure(
        lambda each: tf.zeros([0, *(size or 0 for size in each.shape[1:])], each.dtype), spec
    )
    return tf.data.Dataset.from_tensors(empty)
