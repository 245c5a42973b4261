"""GFLOP/s of the base model's matrix products: TensorFlow's (oneDNN) against XLA's, and what a
product's bias costs.

`python -m benchmarks.product_rates [--rows=952]`: why blocks leave their products outside of what
XLA compiles, and keep biases apart in 16 bits (kaleido_tf/layers/fused.py). All in turns within one
process.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from absl import app, flags

from kaleido_tf.layers import fused

flags.DEFINE_integer("rows", 952, "Places of all examples: 8 of 119.")
flags.DEFINE_integer("turns", 9, "Turns; the median is reported.")
FLAGS = flags.FLAGS

SIZES = ((768, 2304), (768, 768), (768, 3072), (3072, 768))
"""Of query, key and value together, the attention's output, and the two of the feed-forward."""


BIASED = ((33792, 64, 512), (3808, 768, 3072))
"""Rows, inputs, outputs: the first feed-forward layer of MVLT's first stage for 8 photos, and of
the base model for 32 products.
"""


def products(rows: int, inputs: int, outputs: int, dtype: str) -> dict:
    """The forward product and its two gradients' products."""
    values, kernel, gradient = (
        tf.cast(tf.random.normal(shape), dtype)
        for shape in ([rows, inputs], [inputs, outputs], [rows, outputs])
    )
    return {
        "forward": lambda: tf.matmul(values, kernel),
        "of inputs": lambda: tf.matmul(gradient, kernel, transpose_b=True),
        "of kernel": lambda: tf.matmul(values, gradient, transpose_a=True),
    }


def biased(rows: int, inputs: int, outputs: int, dtype: str) -> dict:
    """A product alone, with the bias that TensorFlow fuses with it, and as the blocks have it."""
    values, kernel, bias = (
        tf.cast(tf.random.normal(shape), dtype)
        for shape in ([rows, inputs], [inputs, outputs], [outputs])
    )
    return {
        "alone": lambda: tf.matmul(values, kernel),
        "fused": lambda: tf.nn.bias_add(tf.matmul(values, kernel), bias),
        "fused.dense": lambda: fused.dense(values, kernel, bias),
    }


def seconds_of(ways: dict, turns: int) -> dict:
    """Median seconds of each way."""
    seconds = {key: [] for key in ways}
    for turn in range(turns + 2):
        for key, way in ways.items():
            start = time.perf_counter()
            way()
            if turn > 1:
                seconds[key].append(time.perf_counter() - start)
    return {key: float(np.median(values)) for key, values in seconds.items()}


def main(_):
    for dtype in ("float32", "bfloat16"):
        total, gflop = {False: 0.0, True: 0.0}, 0.0
        for inputs, outputs in SIZES:
            ways = {
                (name, xla): tf.function(product, autograph=False, jit_compile=xla)
                for name, product in products(FLAGS.rows, inputs, outputs, dtype).items()
                for xla in total
            }
            for (_, xla), seconds in seconds_of(ways, FLAGS.turns).items():
                total[xla] += seconds
            gflop += 3 * 2e-9 * FLAGS.rows * inputs * outputs
        plain, compiled = gflop / total[False], gflop / total[True]
        print(
            f"{dtype}: {plain:.0f} GFLOP/s, compiled by XLA {compiled:.0f}"
            f" ({plain / compiled:.1f} times)"
        )
        for shape in BIASED:
            ways = {
                name: tf.function(way, autograph=False)
                for name, way in biased(*shape, dtype).items()
            }
            took = seconds_of(ways, FLAGS.turns)
            listed = ", ".join(f"{name} {1e3 * seconds:.1f} ms" for name, seconds in took.items())
            print(f"{dtype}, {' x '.join(map(str, shape))}: {listed}")


if __name__ == "__main__":
    app.run(main)
