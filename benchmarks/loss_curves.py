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

TITLES = {  # FashionViL's are called by their names
    "masked_lm": "masked language",
    "next_sentence": "matching",
    "rotation": "I rotation",
    "jigsaw": "II jigsaw",
    "camouflage": "III camouflage",
    "grey_to_color": "IV grey to color",
    "blank_to_color": "V blank to color",
}


COLUMNS = 4


def main(_):
    lines = read_metrics(f"{FLAGS.model_dir}/metrics.jsonl")
    if not lines:
        raise InputError(
            f"A run's metrics.jsonl is needed. None, or an empty one, in: {FLAGS.model_dir}"
        )
    curves = [*_titles(lines).items()]
    if all(name in line for line in lines for name, _ in curves):  # not one task a step
        curves.append(("loss", "sum of all"))
    rows = -(-len(curves) // COLUMNS)
    figure, axes = plt.subplots(
        rows, COLUMNS, figsize=(14, 3 * rows), layout="constrained", squeeze=False
    )
    for axis in axes.flat[len(curves) :]:
        axis.remove()
    for axis, (key, title) in zip(axes.flat, curves):
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


def _titles(lines: list[dict]) -> dict[str, str]:
    """Loss of a task -> what it is called, in the order of `TITLES`."""
    names = dict.fromkeys(name for line in lines for name in line if name.endswith("_loss"))
    names.pop("mean_batch_loss", None)
    known = [f"{name}_loss" for name in TITLES]
    order = [name for name in known if name in names] + [n for n in names if n not in known]
    tasks = {name: name.removesuffix("_loss") for name in order}
    return {name: TITLES.get(task, task) for name, task in tasks.items()}


if __name__ == "__main__":
    run_command(main)
