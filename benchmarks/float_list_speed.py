"""How much longer `tf.train.FloatList(value=row)` takes than its packed bytes, for the features of
one row of the original's size.

    python -m benchmarks.float_list_speed
"""

import time

import numpy as np
import tensorflow as tf

from kaleido_tf.command import run_command
from kaleido_tf.compat.rows.row_writing import packed_float_list

NUMBERS = 36 * 2048
REPEATS = 40


def main(_):
    row = np.random.default_rng(0).random(NUMBERS, np.float32)
    if packed_float_list(row) != tf.train.FloatList(value=row):
        raise AssertionError("both ways must give the same list")
    plain = [_seconds(lambda: tf.train.FloatList(value=row)) for _ in range(REPEATS)]
    packed = [_seconds(lambda: packed_float_list(row)) for _ in range(REPEATS)]
    print(f"{np.median(np.divide(plain, packed)):.0f} times as long, median of {REPEATS} pairs")


def _seconds(make) -> float:
    start = time.perf_counter()
    make()
    return time.perf_counter() - start


if __name__ == "__main__":
    run_command(main)
