"""Which precision a machine multiplies fastest in, by a measurement."""

import functools
import statistics
import time

import tensorflow as tf

ROWS, INNER, OUTER = 1024, 768, 3072
"""A product of the base model's feed-forward layer, at a batch of about eight."""
WORTH = 1.2
"""How many times as fast bfloat16 must be: casts take back a part of what products gain."""
_TURNS = 5


@functools.cache
def choose_precision() -> str:
    """bfloat16 where the device multiplies it at least `WORTH` times as fast as float32, else
    float32; prints what decided. Measured once a process.

    Processors without bfloat16 products compute them by way of float32, more slowly.
    """
    ways = {precision: _product(precision) for precision in ("float32", "bfloat16")}
    seconds = {precision: [] for precision in ways}
    for turn in range(_TURNS + 1):
        for precision, multiply in ways.items():
            start = time.perf_counter()
            multiply()
            if turn:  # the first one traces
                seconds[precision].append(time.perf_counter() - start)
    plain, half = (1000 * statistics.median(seconds[precision]) for precision in ways)
    chosen = "bfloat16" if plain / half >= WORTH else "float32"
    print(
        f"--precision=auto: {chosen}. A product of {ROWS} x {INNER} x {OUTER} takes {plain:.2f} ms"
        f" in float32 and {half:.2f} ms in bfloat16, which is taken from {WORTH} times as fast on"
    )
    return chosen


def _product(precision: str):
    left, right = (
        tf.cast(tf.random.stateless_normal(shape, [1, 2]), precision)
        for shape in ([ROWS, INNER], [INNER, OUTER])
    )
    multiply = tf.function(lambda: tf.matmul(left, right)[0, 0], autograph=False)
    return lambda: float(multiply())  # which waits for it
