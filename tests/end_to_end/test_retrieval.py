"""Ranking learnt from lists, from the command line: trained, gone on with, evaluated, scored by
pretrain_main.py, and bad input refused.
"""

import json
import shutil

import pytest

from kaleido_tf.evaluation.result_files import read_result_file
from kaleido_tf.objectives.comparison_folds import NAME
from tests import small_records
from tests.end_to_end.commands import ROOT, run

SIZES = {
    "model_type": "kaleidobert",
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 20,
    "max_position_embeddings": 14,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.1,
    "patch_feature_norm": "standard",
}
COMPARISON = {
    "comparison_size": 8,
    "comparison_tower_size": 10,
    "comparison_members": 1,
    "comparison_bank": 15,
    "comparison_neighbours": 3,
}
START = (
    "--train_input_fp=train",
    "--input_sequence_length=9",
    "--train_batch_size=3",
    "--comparison_epochs=20",
    "--seed=2",
)
TRAIN = (
    *START,
    "--eval_input_fp=valid",
    "--eval_batch_size=7",
    "--num_epochs=2",
    "--list_candidates=5",
    "--learning_rate=1e-2",
    "--log_step_count_steps=4",
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("retrieval")
    small_records.write(folder / "train", 41)
    small_records.write(folder / "valid", 23)
    (folder / "model.json").write_text(json.dumps({**SIZES, **COMPARISON}))
    (folder / "plain.json").write_text(json.dumps(SIZES))
    writer = "data_prep.write_retrieval_candidates"
    run("-m", writer, "--records=valid", "--num_others=4", cwd=folder)
    return folder


def finetune(prepared, *arguments, status=0):
    return run(
        ROOT / "finetune_main.py", "--task=retrieval", *arguments, cwd=prepared, status=status
    )


@pytest.fixture(scope="module")
def trained(prepared):
    """(folder of the model, what the run said)."""
    output = finetune(prepared, *TRAIN, "--model_config=model.json", "--model_dir=model")
    return prepared / "model", output


def verdicts_of(folder):
    names = (f"{direction}_retrieval_metrics.json" for direction in ("img2txt", "txt2img"))
    return [json.loads((folder / name).read_text())["verdict"] for name in names]


def test_run_begins_with_the_yardstick_and_ends_with_verdicts(trained):
    folder, output = trained
    lines = output.strip().splitlines()
    shown = next(n for n, line in enumerate(lines) if line.startswith("yardstick, the comparison"))
    begun = next(n for n, line in enumerate(lines) if "M parameters" in line)
    assert shown < begun and "two lists of 5 each" in lines[begun]
    verdicts = verdicts_of(folder / "evaluation")
    for direction, verdict in zip(("img2txt", "txt2img"), verdicts):
        assert verdict["figure"] == f"{direction} Rank@1"
        assert f"{direction} Rank@1 {verdict['yardstick']:.4f}" in output
        metrics = folder / "evaluation" / f"{direction}_retrieval_metrics.json"
        metrics = json.loads(metrics.read_text())
        assert metrics["rank@1"] == pytest.approx(verdict["model"])
        assert verdict["model"] > 1.5 * metrics["chance"]["rank@1"]
    config = json.loads((folder / "config.json").read_text())
    assert config["reads_comparison"] is True


def test_an_interrupted_run_goes_on_to_the_same_figures(prepared, trained):
    folder = prepared / "again"
    shutil.copytree(trained[0], folder)
    for path in folder.glob("model.ckpt-*"):
        if not path.name.startswith("model.ckpt-0."):
            path.unlink()
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-0"\n')
    (folder / "metrics.jsonl").unlink()
    arguments = (*TRAIN, "--model_config=model.json", "--model_dir=again")
    output = finetune(prepared, *arguments)
    assert "comparison for fold" not in output
    assert verdicts_of(folder / "evaluation") == verdicts_of(trained[0] / "evaluation")
    (folder / NAME).unlink()
    for path in folder.glob("model.ckpt-*"):
        if not path.name.startswith("model.ckpt-0."):
            path.unlink()
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-0"\n')
    assert f"needs its {NAME}. Not found in again" in finetune(prepared, *arguments, status=1)


def test_the_model_ranks_the_same_in_every_command(prepared, trained):
    evaluated = ("--mode=evaluate", "--eval_input_fp=valid", "--input_sequence_length=9")
    finetune(prepared, *evaluated, "--predict_checkpoint_path=model", "--output_dir=evaluated")
    assert verdicts_of(prepared / "evaluated") == verdicts_of(trained[0] / "evaluation")
    scored = ("--mode=predict", "--type=img2txt", "--predict_input_fp=valid")
    more = ("--predict_checkpoint_path=st", "--output_dir=scored", "--input_sequence_length=9")
    # In another kind of file, too.
    convert = "kaleido_tf.compat.convert_checkpoint"
    run("-m", convert, "--input=model", "--output=st", "--to=safetensors", cwd=prepared)
    run(ROOT / "pretrain_main.py", *scored, *more, cwd=prepared)
    name = "eval_img2txt_results.txt"
    there = read_result_file(prepared / "scored" / name)
    here = read_result_file(trained[0] / "evaluation" / name)
    assert there.logits == pytest.approx(here.logits, rel=1e-4, abs=1e-5)


def test_a_ranking_model_is_a_start(prepared):
    """Its comparison is kept."""
    run(
        ROOT / "pretrain_main.py",
        "--mode=train",
        *START,
        "--model_config=model.json",
        "--model_dir=ranking",
        "--num_epochs=0.3",
        "--kaleido_tasks=rotation",
        cwd=prepared,
    )
    start = ("--pretrain_model_name_or_path=ranking", "--model_dir=from_ranking")
    output = finetune(prepared, *TRAIN, *start, "--num_epochs=0.2")
    # One comparison for each fold, none for the model.
    assert output.count("member 1: epoch 20/20") == 4


def test_bad_input_is_refused(prepared, trained):
    plain = finetune(prepared, *TRAIN, "--model_config=plain.json", "--model_dir=plain", status=1)
    assert "needs a model that compares words with patches: a `comparison_size` above 0" in plain
    assert not (prepared / "plain").exists()
    small_records.write(prepared / "few", 5)
    few = (*TRAIN, "--train_input_fp=few", "--model_config=model.json", "--model_dir=few_model")
    assert "at least 8 different texts. Received: 5" in finetune(prepared, *few, status=1)
    evaluated = ("--mode=evaluate", "--eval_input_fp=train", "--input_sequence_length=9")
    model = "--predict_checkpoint_path=model"
    assert "Candidate lists" in finetune(prepared, *evaluated, model, status=1)
    other = (*TRAIN, "--model_config=model.json", "--model_dir=model", "--list_candidates=4")
    assert "--list_candidates=5 there, --list_candidates=4 now" in finetune(
        prepared, *other, status=1
    )
