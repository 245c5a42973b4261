"""Time and memory of taking weights in and out: TF1 checkpoint and safetensors, each way in a
process of its own.

`python -m benchmarks.checkpoint_memory` makes a TF1 checkpoint of random values with the names and
shapes of a base Kaleido-BERT (L=12, H=768, 2,048 floats a patch) in a temporary folder. Each way is
measured from the memory that the process has after importing TensorFlow and this project to the
largest that it ever has (Linux, VmHWM).
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import app, flags

from kaleido_tf.compat.checkpoints.checkpoint_names import original_variables
from kaleido_tf.compat.checkpoints.filling import fill
from kaleido_tf.compat.checkpoints.tf1_checkpoint import Tf1Checkpoint, write_tf1_checkpoint
from kaleido_tf.compat.checkpoints.weights import model_for_weights, open_weights, weights_of
from kaleido_tf.files.safetensors_file import SafetensorsFile, write_safetensors
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig

flags.DEFINE_integer("num_hidden_layers", 12, "Layers of the model.")
flags.DEFINE_string("part", None, "What this process does; set by the program itself.")
flags.DEFINE_string("folder", None, "Where the files lie; set by the program itself.")
FLAGS = flags.FLAGS

TF1, SAFETENSORS = "model.ckpt-1000", "model.safetensors"


def memory(name: str) -> int:
    """Bytes of this process: `VmRSS` now, `VmHWM` the most so far."""
    line = next(
        line
        for line in pathlib.Path("/proc/self/status").read_text().splitlines()
        if line.startswith(name)
    )
    return int(line.split()[1]) * 1024


def new_model():
    return model_for_weights(KaleidoBertConfig(num_hidden_layers=FLAGS.num_hidden_layers), None)


def make_checkpoint(folder: pathlib.Path) -> None:
    generator = np.random.default_rng(0)
    shapes = {name: entry.original_shape for name, entry in original_variables(new_model()).items()}
    tensors = {
        name: generator.normal(0, 0.02, shape).astype(np.float32) for name, shape in shapes.items()
    }
    write_tf1_checkpoint(folder / TF1, {**tensors, "global_step": np.asarray(1000, np.int64)})
    write_safetensors(folder / SAFETENSORS, tensors, {})


def import_tf1(folder):
    fill(new_model(), open_weights(str(folder / TF1)))


def import_safetensors(folder):
    fill(new_model(), open_weights(str(folder / SAFETENSORS)))


def export_tf1(folder):
    write_tf1_checkpoint(folder / "exported" / TF1, weights_of(new_model(), "new", 0).tensors)


def export_safetensors(folder):
    write_safetensors(
        folder / "exported" / SAFETENSORS, weights_of(new_model(), "new", 0).tensors, {}
    )


def tf1_to_safetensors(folder):
    write_safetensors(folder / "carried" / SAFETENSORS, open_weights(str(folder / TF1)).tensors, {})


def safetensors_to_tf1(folder):
    write_tf1_checkpoint(folder / "carried" / TF1, open_weights(str(folder / SAFETENSORS)).tensors)


def read_tf1(folder):
    checkpoint = Tf1Checkpoint(folder / TF1)
    for name in checkpoint.shapes:
        checkpoint.read(name)


def read_safetensors(folder):
    file = SafetensorsFile(folder / SAFETENSORS)
    for name in file.shapes:
        file.read(name)


PARTS = {
    "a new model, random weights": lambda folder: new_model(),
    "TF1 -> model": import_tf1,
    "model -> TF1": export_tf1,
    "model -> safetensors": export_safetensors,
    "safetensors -> model": import_safetensors,
    "TF1 -> safetensors": tf1_to_safetensors,
    "safetensors -> TF1": safetensors_to_tf1,
    "TF1, each tensor once": read_tf1,
    "safetensors, each tensor once": read_safetensors,
}


def measure(part: str, folder: pathlib.Path) -> None:
    before, start = memory("VmRSS"), time.perf_counter()
    PARTS[part](folder)
    print(
        json.dumps(
            {"seconds": time.perf_counter() - start, "bytes": max(memory("VmHWM") - before, 0)}
        )
    )


def in_a_process(part: str, folder: str) -> str:
    flags_of_part = [
        f"--part={part}",
        f"--folder={folder}",
        f"--num_hidden_layers={FLAGS.num_hidden_layers}",
    ]
    command = [sys.executable, "-m", "benchmarks.checkpoint_memory", *flags_of_part]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def main(_):
    if FLAGS.part == "make":
        make_checkpoint(pathlib.Path(FLAGS.folder))
    elif FLAGS.part:
        measure(FLAGS.part, pathlib.Path(FLAGS.folder))
    else:
        with tempfile.TemporaryDirectory() as folder:
            in_a_process("make", folder)
            size = sum(path.stat().st_size for path in pathlib.Path(folder).glob(TF1 + ".*"))
            print(f"L={FLAGS.num_hidden_layers}, H=768: a checkpoint of {size / 1e6:.0f} MB")
            for part in PARTS:
                taken = json.loads(in_a_process(part, folder).splitlines()[-1])
                print(
                    f"  {part:30s} {taken['seconds']:6.1f} s, peak {taken['bytes'] / 1e6:6.0f} MB"
                    f" above the start, {taken['bytes'] / size:.2f} x the checkpoint",
                    flush=True,
                )


if __name__ == "__main__":
    app.run(main)
