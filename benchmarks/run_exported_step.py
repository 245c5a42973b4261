"""Times the programs of `benchmarks.export_step` with JAX, on whatever it finds: a CPU, a GPU.

`python benchmarks/run_exported_step.py --folder=steps [--peak_tflops=989]` needs JAX and NumPy
alone, neither TensorFlow nor this package. Printed are milliseconds a step (median), pairs a second
and, with the peak that the chip's maker states, the share of it. Values are drawn: how long a step
takes does not depend on them.
"""

import argparse
import json
import pathlib
import time

import jax
import numpy as np
from jax.extend.backend import get_backend
from jax.interpreters.mlir import make_ir_context
from jaxlib import xla_client
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo


def load(path: pathlib.Path, backend):
    """A program, compiled for a device of the backend, and the types of its arguments."""
    with make_ir_context() as context:
        module = stablehlo.deserialize_portable_artifact(context, path.read_bytes())
        (main,) = (each for each in module.body if str(each.attributes["sym_name"]) == '"main"')
        types = [ir.RankedTensorType(argument) for argument in main.type.inputs]
        shapes = [(list(each.shape), str(each.element_type)) for each in types]
        devices = xla_client.DeviceList(tuple(backend.devices()[:1]))
        program = backend.compile_and_load(str(module), devices, xla_client.CompileOptions())
    return program, shapes


def draw(shape: list[int], element: str, generator) -> np.ndarray:
    """An argument: small floats above 0, as moments must be, and the lowest labels and ids."""
    if element.startswith(("i", "ui")):
        return np.zeros(shape, {"i1": bool}.get(element, f"int{element.lstrip('ui')}"))
    dtype = {"f32": np.float32, "f64": np.float64}[element]
    return generator.uniform(0, 0.02, shape).astype(dtype)


def seconds_of_steps(program, arguments, steps: int) -> list[float]:
    """The time of each step. Arguments are put on the device anew, untimed: a step takes the
    memory of weights and moments for those that it gives.
    """
    taken = []
    for _ in range(steps):
        buffers = [jax.device_put(each) for each in arguments]
        jax.block_until_ready(buffers)
        start = time.perf_counter()
        results = program.execute(buffers)
        jax.block_until_ready(results)
        taken.append(time.perf_counter() - start)
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument(
        "--peak_tflops", type=float, help="Of the chip, at the programs' precision."
    )
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # the count of updates is one
    backend = get_backend()
    description = json.loads((options.folder / "steps.json").read_text())
    print(f"{description['step']}: {backend.devices()[0].device_kind}, JAX {jax.__version__}")
    for entry in description["programs"]:
        program, shapes = load(options.folder / entry["file"], backend)
        arguments = [draw(*each, np.random.default_rng(0)) for each in shapes]
        seconds = seconds_of_steps(program, arguments, options.steps + 1)[1:]
        middle = float(np.median(seconds))
        gflop = program.cost_analysis()["flops"] / 1e9
        share = (
            f", {gflop / 1e3 / middle / options.peak_tflops:.0%} of the peak"
            if (options.peak_tflops)
            else ""
        )
        print(
            f"  {entry['precision']:9s} batch {entry['batch_size']:4d}: {1e3 * middle:9.1f} ms,"
            f" {entry['batch_size'] / middle:9.1f} pairs/s, {gflop:.0f} GFLOP{share}",
            flush=True,
        )


if __name__ == "__main__":
    main()
