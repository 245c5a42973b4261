r"""Two ablations of the paper (section 4.4, table 4) at small scale: patches (KPG) and masking
(AGM), several seeds each, same budget.

    python -m benchmarks.ablations --scale_fixed=hm_grid --whole=hm_whole --product=hm \
        --output_dir=ablations --seeds=1,2,3

Runs `pretrain_main.py` (training, then both directions of retrieval) for every variant and seed,
one after the other, and prints mean and spread over the seeds. What is finished is not done again,
so it can be stopped and started. Each records folder holds `train` and `valid` with candidate
lists; --product with alignments (data_prep.write_alignments).
"""

import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import claim_settings

flags.DEFINE_string(
    "scale_fixed",
    None,
    "Records of write_fashion_bert_records: the whole photo in 8 x 8 patches.",
    required=True,
)
flags.DEFINE_string(
    "whole", None, "Kaleido records of whole photos (--foreground=none).", required=True
)
flags.DEFINE_string(
    "product", None, "Kaleido records of the product's crop, with alignments.", required=True
)
flags.DEFINE_string("output_dir", None, "Where the runs are kept.", required=True)
flags.DEFINE_list("seeds", ["1", "2", "3"], "Seeds.")
flags.DEFINE_list("variants", [], "Only these; default: all.")
flags.DEFINE_float("num_epochs", 6.0, "Budget of each run.")
flags.DEFINE_float(
    "negatives_rise_epochs", 3.0, "Epochs until negatives are of the same sub-category."
)
FLAGS = flags.FLAGS
_ROOT = pathlib.Path(__file__).parent.parent


@dataclasses.dataclass(frozen=True)
class Variant:
    """`records`: the flag that names its records."""

    records: str
    flagfile: str = "small_catalogue.cfg"
    more: tuple[str, ...] = ()


VARIANTS = {
    "scale-fixed patches (FashionBERT)": Variant("scale_fixed", "small_fashion_bert.cfg"),
    "kaleido patches of the whole photo": Variant("whole", more=("--masking=random",)),
    "kaleido patches of the product (random masking)": Variant(
        "product", more=("--masking=random",)
    ),
    "kaleido patches of the product (aligned masking)": Variant(
        "product", more=("--masking=aligned",)
    ),
}
FIGURES = ("rank@1", "rank@5", "rank@10", "auc")


def run_once(name: str, variant: Variant, seed: str) -> dict[str, float]:
    """Figures of one run by direction and name; trains and scores what is missing."""
    folder = (
        pathlib.Path(FLAGS.output_dir).resolve()
        / name.replace(" ", "_").replace("(", "").replace(")", "")
        / seed
    )
    records = pathlib.Path(FLAGS[variant.records].value).resolve()
    done, figures = folder / "trained", {}
    settings = {
        "records": str(records),
        "num_epochs": FLAGS.num_epochs,
        "negatives_rise_epochs": FLAGS.negatives_rise_epochs,
    }
    claim_settings(folder, settings, "a run with another budget or other records", "--output_dir")
    if not done.is_file():
        _pretrain(
            "--mode=train",
            f"--flagfile={_ROOT / 'run_configs' / variant.flagfile}",
            f"--train_input_fp={records}/train",
            f"--model_dir={folder}",
            f"--num_epochs={FLAGS.num_epochs}",
            f"--negatives_rise_epochs={FLAGS.negatives_rise_epochs}",
            f"--seed={seed}",
            *variant.more,
        )
        done.touch()
    for direction in ("img2txt", "txt2img"):
        result = folder / direction / "retrieval_metrics.json"
        if not result.is_file():
            _pretrain(
                "--mode=predict",
                f"--type={direction}",
                f"--predict_input_fp={records}/valid",
                f"--predict_checkpoint_path={folder}",
                f"--output_dir={folder / direction}",
                "--precision=bfloat16",
            )
        metrics = json.loads(result.read_text())
        figures.update({f"{direction} {figure}": metrics[figure] for figure in FIGURES})
    return figures


def _pretrain(*arguments: str) -> None:
    command = [sys.executable, str(_ROOT / "pretrain_main.py"), *arguments]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    if done.returncode:
        raise InputError(
            f"{' '.join(command)} ended with {done.returncode}:"
            f" {done.stderr.strip().splitlines()[-1:]}"
        )


def main(_):
    unknown = set(FLAGS.variants) - set(VARIANTS)
    if unknown:
        raise InputError(
            f"--variants must be of {', '.join(VARIANTS)}. Received: {', '.join(sorted(unknown))}"
        )
    for name in FLAGS.variants or VARIANTS:
        rows = []
        for seed in FLAGS.seeds:
            rows.append(run_once(name, VARIANTS[name], seed))
            print(
                f"{name}, seed {seed}: "
                + ", ".join(f"{figure} {value:.4f}" for figure, value in rows[-1].items()),
                flush=True,
            )
        print(
            f"{name}, {len(rows)} seeds: "
            + ", ".join(
                f"{figure} {np.mean([row[figure] for row in rows]):.4f} +-"
                f" {np.std([row[figure] for row in rows], ddof=1 if len(rows) > 1 else 0):.4f}"
                for figure in rows[0]
            ),
            flush=True,
        )


if __name__ == "__main__":
    run_command(main)
