"""What several workers compute of batches is what one would."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf


def assert_parts_are_the_whole(
    batches: Callable[[tuple[int, int]], tf.data.Dataset], count: int = 2, most: int = 6
) -> None:
    """Args: batches: of a part (index, count); at most `most` of them are looked at."""
    whole, *parts = (
        list(batches(part).take(most).as_numpy_iterator())
        for part in ((0, 1), *((index, count) for index in range(count)))
    )
    assert whole and [len(part) for part in parts] == count * [len(whole)]
    for batch, *pieces in zip(whole, *parts):
        assert all(piece.keys() == batch.keys() for piece in pieces)
        for name, values in batch.items():
            there = np.concatenate([piece[name] for piece in pieces])
            np.testing.assert_array_equal(there, values, err_msg=name)


def assert_all_parts_are_the_whole(examples, batch_size: int, count: int = 2, start: int = 0):
    """Of examples (training/run.py) to train on and to evaluate."""
    assert_parts_are_the_whole(
        lambda part: examples.training_batches(batch_size, start, part), count
    )
    assert_parts_are_the_whole(lambda part: examples.evaluation_batches(batch_size, part), count)
