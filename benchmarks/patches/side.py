"""A rival of feature extraction, as a process that answers requests line by line.

`benchmarks.patches.comparison` starts it. Requests: `features` (writes those of the crops to
`<side>.npy`), `seconds` (of making them).
"""

import json
import pathlib
import sys

import numpy as np
from absl import app, flags

from benchmarks.patches.network import SIDES, features_of, onnx_network, pytorch_network
from benchmarks.rates import seconds_of

flags.DEFINE_enum("side", None, SIDES, "Who makes them.")
flags.DEFINE_string("folder", None, "Where crops and weights lie.")
flags.DEFINE_integer("patch_size", 0, "Pixels a side that patches are resized to; 0: they are not.")
FLAGS = flags.FLAGS


def make_network(folder: pathlib.Path):
    if FLAGS.side == "onnxruntime":
        return onnx_network(str(folder / "network.onnx"))
    with np.load(folder / "weights.npz") as weights:
        return pytorch_network(dict(weights))


def main(_):
    folder = pathlib.Path(FLAGS.folder)
    crops, network = np.load(folder / "crops.npy"), make_network(folder)

    def run():
        return features_of(crops, network, FLAGS.patch_size)

    for line in sys.stdin:
        if line.strip() == "features":
            np.save(folder / f"{FLAGS.side}.npy", run())
            answer = {}
        else:
            answer = {"seconds": seconds_of(run)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    app.run(main)
