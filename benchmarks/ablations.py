r"""The paper's ablations (Kaleido-BERT, section 4.4, table 4) on one's own records: patches (KPG),
masking (AGM) and tasks (AKPM), several seeds each, same budget.

    python -m benchmarks.ablations --records_scale_fixed=grid --records_kaleido=whole \
        --records_saliency=product --output_dir=ablations --seeds=1,2,3 --num_epochs=6

Trains, evaluates and ranks every column and seed, one after the other, with the flags of
run_configs/ablations, and writes `ablations.md` and `ablations.json` into --output_dir. What is
finished is not done again, so it can be stopped and started, and go on with more columns or seeds;
columns of the same flags and records share their runs. Records folders hold `train` and `valid`
with candidate lists; where masking is guided, with alignments (data_prep.write_alignments). Run it
in the root of the repository.
"""

import dataclasses
import json
import os
import pathlib

# TensorFlow's start-up notes, and its search for a GPU, hide what this program says.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from benchmarks.ablation_columns import COLUMNS, KINDS, chosen_columns, recipe_of
from benchmarks.ablation_records import KindOfRecords, check_records
from benchmarks.ablation_runs import AblationRun
from benchmarks.ablation_table import column_figures, comparisons, markdown, with_sum
from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import check_writable, write_json, write_whole

flags.DEFINE_list("columns", [], "Only these; default: all whose records are given.")
flags.DEFINE_string("records_scale_fixed", None, "Records of data_prep.write_fashion_bert_records.")
flags.DEFINE_string("records_kaleido", None, "Kaleido records of whole photos (--foreground=none).")
flags.DEFINE_string(
    "records_saliency", None, "Kaleido records of the product's crop (any other --foreground)."
)
flags.DEFINE_string("output_dir", None, "Where runs and table are kept.", required=True)
flags.DEFINE_list("seeds", ["1", "2", "3"], "Seeds.")
flags.DEFINE_float("num_epochs", 6.0, "Budget of each run.")
flags.DEFINE_string(
    "pretrain_model_name_or_path",
    None,
    "Trained text encoder that all runs start from (docs/starts.md); default: a small model from"
    " scratch.",
)
FLAGS = flags.FLAGS


def main(_):
    records = {kind: FLAGS[f"records_{kind}"].value for kind in KINDS}
    names = chosen_columns(FLAGS.columns, records)
    seeds = checked_seeds(FLAGS.seeds)
    if not FLAGS.num_epochs > 0:
        raise InputError(f"--num_epochs must be above 0. Received: {FLAGS.num_epochs}")
    kinds = check_records(names, records)
    check_writable(FLAGS.output_dir)
    runs = {name: [_run(name, seed, kinds) for seed in seeds] for name in names}
    for run in (run for of_column in runs.values() for run in of_column):
        run.claim()
    figures = {}
    for name, of_column in runs.items():
        figures[name] = []
        for run in of_column:
            figures[name].append(with_sum(run.figures()))
            print(f"{name}, seed {run.seed}: SumR {figures[name][-1]['SumR']:.1f}", flush=True)
    write_table(figures, with_sum(runs[names[0]][0].chance()), seeds)


def checked_seeds(values: list[str]) -> list[int]:
    """The seeds. Raises: InputError for what is no whole number, or stands there twice."""
    valid = all(value.isascii() and value.isdigit() and int(value) < 2**32 for value in values)
    if not values or not valid or len({int(value) for value in values}) < len(values):
        raise InputError(
            "--seeds must be whole numbers from 0 to 4294967295, each once. Received:"
            f" {','.join(values)}"
        )
    return [int(value) for value in values]


def _run(name: str, seed: int, kinds: dict[str, KindOfRecords]) -> AblationRun:
    column = recipe_of(name)
    return AblationRun(
        pathlib.Path(FLAGS.output_dir, column, str(seed)),
        column,
        kinds[COLUMNS[column].records],
        seed,
        FLAGS.num_epochs,
        FLAGS.pretrain_model_name_or_path,
    )


def write_table(
    figures: dict[str, list[dict[str, float]]], chance: dict[str, float], seeds: list[int]
) -> None:
    """Leaves `ablations.md` and `ablations.json` in --output_dir, and prints the former. Args:
    figures: of each column and seed; chance: as `with_sum` gives them.
    """
    columns = {name: column_figures(runs) for name, runs in figures.items()}
    table = markdown(columns, chance)
    start = FLAGS.pretrain_model_name_or_path or "random weights"
    budget = f"{FLAGS.num_epochs:g} epochs from {start}, seeds {', '.join(map(str, seeds))}"
    write_whole(pathlib.Path(FLAGS.output_dir, "ablations.md"), f"{budget}\n\n{table}")
    content = {
        "num_epochs": FLAGS.num_epochs,
        "start": FLAGS.pretrain_model_name_or_path,
        "seeds": seeds,
        "chance": chance,
        "runs": figures,
        "columns": json.loads(json.dumps(columns, default=dataclasses.asdict)),
        "differences_to_the_first_of_the_group": comparisons(columns),
    }
    write_json(pathlib.Path(FLAGS.output_dir, "ablations.json"), content)
    print(f"{budget}\n\n{table}", end="")


if __name__ == "__main__":
    run_command(main)
