"""One side of a comparison of training steps, as a process that answers requests line by line.

`benchmarks.steps.comparison` starts it. Requests: `losses` (of two steps), `step` (seconds of an
update), `product` (GFLOP/s of a large matrix product), `work` (operations of an update, counted by
PyTorch).
"""

import importlib
import json
import os
import pathlib
import resource
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import app, flags

from benchmarks.rates import seconds_of
from benchmarks.steps import training
from benchmarks.steps.settings import STEPS, StepSettings

SIDES = ("tensorflow", "pytorch", "pytorch_compiled")
PRODUCT_SIDE = 3072

flags.DEFINE_enum("step", None, STEPS, "The module of it.")
flags.DEFINE_enum("side", None, SIDES, "Who makes it.")
flags.DEFINE_string("folder", None, "Where weights and batch lie.")
flags.DEFINE_integer("batch_size", 8, "Examples a step.")
flags.DEFINE_enum("precision", "float32", ["float32", "bfloat16"], "Of activations.")
flags.DEFINE_bool("dropout", True, "With the chances of the model.")
FLAGS = flags.FLAGS


def module_of(step: str):
    """The module that knows a family's step."""
    return importlib.import_module(f"benchmarks.steps.{step}")


def make_step(side: str, settings: StepSettings):
    """A function that makes a step and gives its losses by name."""
    module = module_of(settings.step)
    if side == "tensorflow":
        return training.tensorflow_step(module, settings)
    return training.pytorch_step(module, settings, compiled=side == "pytorch_compiled")


def product(side: str, precision: str):
    """A function that makes a large matrix product."""
    shape = [PRODUCT_SIDE, PRODUCT_SIDE]
    if side == "tensorflow":
        import tensorflow as tf

        values = tf.cast(tf.random.normal(shape), precision)
        multiply = tf.function(lambda: tf.reduce_sum(tf.matmul(values, values)[0, :1]))
        return lambda: float(multiply())
    import torch

    values = torch.randn(shape, dtype=getattr(torch, precision))
    return lambda: values @ values


def counted_work(step) -> float:
    """GFLOP of a step: products and convolutions, forward and backward."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 1e9


def answer(request: str, side: str, settings: StepSettings, step, loaded: float) -> dict:
    """The figures that a request asks for; seconds and operations are of an update."""
    updates = module_of(settings.step).UPDATES
    if request == "losses":
        return {"losses": [step(), step()]}
    if request == "product":
        run = product(side, settings.precision)
        fastest = min(seconds_of(run) for _ in range(5))  # the first one warms up
        return {"gflops": 2e-9 * PRODUCT_SIDE**3 / fastest}
    if request == "work":
        return {"gflop": counted_work(step) / updates}
    seconds = seconds_of(step) / updates
    return {"seconds": seconds, "gib": peak_memory(), "loaded_gib": loaded}


def peak_memory() -> float:
    """GiB of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def load(side: str) -> float:
    """Imports what makes the step; the memory that this takes, in GiB."""
    importlib.import_module("kaleido_tf.training.trainer" if side == "tensorflow" else "torch")
    return peak_memory()


def main(_):
    settings = StepSettings(
        FLAGS.step, FLAGS.batch_size, FLAGS.precision, FLAGS.dropout, pathlib.Path(FLAGS.folder)
    )
    loaded = load(FLAGS.side)
    step = make_step(FLAGS.side, settings)
    for line in sys.stdin:
        print(json.dumps(answer(line.strip(), FLAGS.side, settings, step, loaded)), flush=True)


if __name__ == "__main__":
    app.run(main)
