"""A text encoder in Hugging Face's layout, run here, against numbers that others computed with it.

`python -m benchmarks.text_encoder_parity --weights=DIR`: a new model starts from the encoder at
DIR as a run does, and its text side alone computes the texts of a golden file (`input_ids`,
`input_mask` [N, S]; `embedding_output`, `layer_0`, …, `last_hidden_state` [N, S, H];
`pooled_output` [N, H]). Printed is the largest difference of each output where the mask is 1; the
status is 1 if one is above 2e-5.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import flags

from benchmarks.text_side import text_outputs
from kaleido_tf.command import run_command
from kaleido_tf.command_line.model_source import model_to_train
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.compat.checkpoints.weights import model_for_weights
from kaleido_tf.errors import InputError

flags.DEFINE_string(
    "weights", None, "Folder with config.json, model.safetensors and vocab.txt.", required=True
)
flags.DEFINE_string(
    "golden", None, "The .npz of inputs and outputs; default: golden.npz in --weights."
)
FLAGS = flags.FLAGS

LARGEST = 2e-5
MASKED = ("input_ids", "input_mask")


def differences(golden: dict[str, np.ndarray], computed: dict[str, np.ndarray]) -> dict[str, float]:
    """The largest of each output of the golden file, where the mask is 1."""
    unknown = sorted(set(golden) - set(computed) - set(MASKED))
    if unknown or not set(golden) - set(MASKED):
        raise InputError(
            f"--golden must hold outputs of {', '.join(computed)}. Received: {', '.join(golden)}"
        )
    there = golden["input_mask"] == 1
    return {
        name: float(np.max(np.abs(_at(value, there) - _at(computed[name], there))))
        for name, value in golden.items()
        if name not in MASKED
    }


def _at(output: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The places of an output that are no padding; a pooled output is of none."""
    return output[there] if output.ndim == 3 else output


def read_golden(path: str) -> dict[str, np.ndarray]:
    """The arrays of a golden file. Raises: InputError if it is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            golden = dict(file)
    except (OSError, ValueError) as error:
        raise InputError(f"--golden must be an .npz. {path} cannot be read: {error}") from error
    missing = [name for name in MASKED if name not in golden]
    if missing:
        raise InputError(f"--golden must hold {', '.join(MASKED)}. Missing in {path}: {missing[0]}")
    return golden


def main(_):
    golden = read_golden(FLAGS.golden or str(pathlib.Path(FLAGS.weights) / "golden.npz"))
    source = model_to_train(FLAGS.weights, None, "", None, golden["input_ids"].shape[1])
    model = model_for_weights(source.config, ())
    load_start(model, source.start)
    computed = text_outputs(model, golden["input_ids"], golden["input_mask"])
    largest = differences(golden, computed)
    for name, value in largest.items():
        print(f"{name:20s} {value:.1e}")
    # A NaN is above everything.
    wrong = [name for name, value in largest.items() if not value <= LARGEST]
    sys.exit(f"above {LARGEST:.0e}: {', '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    run_command(main)
