"""The losses of a run as a picture (the paper's figure 6): `python -m benchmarks.loss_curves
--model_dir=DIR --output=PNG`.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.training.metrics_log import read_metrics

flags.DEFINE_string("model_dir", None, "Folder with metrics.jsonl.", required=True)
flags.DEFINE_string("output", None, "PNG to write.", required=True)
FLAGS = flags.FLAGS

TITLES = {
    "masked_lm": "masked language",
    "next_sentence": "matching",
    "rotation": "I rotation",
    "jigsaw": "II jigsaw",
    "camouflage": "III camouflage",
    "grey_to_color": "IV grey to color",
    "blank_to_color": "V blank to color",
}


def main(_):
    lines = read_metrics(f"{FLAGS.model_dir}/metrics.jsonl")
    if not lines:
        raise InputError(
            f"A run's metrics.jsonl is needed. None, or an empty one, in: {FLAGS.model_dir}"
        )
    figure, axes = plt.subplots(2, 4, figsize=(14, 6), layout="constrained")
    for axis, (name, title) in zip(axes.flat, [*TITLES.items(), ("", "sum of all")]):
        key = f"{name}_loss" if name else "loss"
        for kind, style in (("train", {"alpha": 0.5}), ("eval", {"marker": "."})):
            points = [
                (line["step"], line[key]) for line in lines if line["kind"] == kind and key in line
            ]
            axis.plot(
                *zip(*points), label={"train": "training", "eval": "validation"}[kind], **style
            )
        axis.set(title=title, xlabel="step", ylabel="loss")
    axes.flat[0].legend()
    figure.savefig(FLAGS.output, dpi=80)
    print(f"{FLAGS.output}: {len(lines)} reports up to step {lines[-1]['step']}")


if __name__ == "__main__":
    run_command(main)
