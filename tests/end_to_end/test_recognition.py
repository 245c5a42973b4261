"""Recognition of records from the command line: trained, evaluated, predicted, gone on with, and
bad input refused.
"""

import json
import re
import shutil

import numpy as np
import pytest

from kaleido_tf.records.record import GRIDS
from kaleido_tf.training.metrics_log import read_metrics
from tests import small_records
from tests.end_to_end.commands import ROOT, run

SIZES = {
    "model_type": "imagebert",
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 20,
    "max_position_embeddings": 14,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.1,
}
KINDS = ("dress", "skirt", "coat")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Records of three kinds; those of valid under other numbers, and one of a kind that train
    lacks; a photo of no class at all, in two views.
    """
    folder = tmp_path_factory.mktemp("recognition")
    small_records.write(folder / "train", 31, layout=GRIDS[4])
    small_records.name_classes(folder / "train", KINDS)
    # In valid 0, 1, 2, 3 are coat, dress, hat, skirt.
    turned = lambda n: {"subcategory_id": 2 if n == 4 else (1, 3, 0)[n % 3]}  # noqa: E731
    small_records.write(folder / "valid", 11, per_shard=6, layout=GRIDS[4], change=turned)
    small_records.name_classes(folder / "valid", ("coat", "dress", "hat", "skirt"))
    views = lambda n: small_records.viewed(n, GRIDS[4])  # noqa: E731
    small_records.write(folder / "new", 2, layout=GRIDS[4], change=views)
    small_records.write(folder / "views", 18, layout=GRIDS[4], change=views)
    small_records.name_classes(folder / "views", KINDS)
    (folder / "model.json").write_text(json.dumps(SIZES))
    return folder


def finetune(prepared, *arguments, status=0, task="subcatepred"):
    return run(ROOT / "finetune_main.py", f"--task={task}", *arguments, cwd=prepared, status=status)


TRAIN = (
    "--train_input_fp=train",
    "--eval_input_fp=valid",
    "--model_config=model.json",
    "--input_sequence_length=9",
    "--train_batch_size=4",
    "--eval_batch_size=3",
    "--num_epochs=3",
    "--log_step_count_steps=6",
    "--learning_rate=1e-2",
    "--class_weights=balanced",
)


@pytest.fixture(scope="module")
def trained(prepared):
    """(folder of the model, what the run said)."""
    output = finetune(prepared, *TRAIN, "--model_dir=model")
    return prepared / "model", output


def result_of(folder):
    return json.loads((folder / "recognition.json").read_text())


def test_run_ends_with_a_verdict_and_leaves_its_figures(trained):
    folder, output = trained
    lines = output.strip().splitlines()
    assert lines[-1].startswith("verdict: macro-F1 of the yardstick ")
    shown = next(n for n, line in enumerate(lines) if line.startswith("yardstick, nearest"))
    begun = next(n for n, line in enumerate(lines) if "M parameters" in line)
    assert shown < begun  # before the training
    assert "1 class that training never saw, whose examples count as wrong: hat (1)" in output
    result = result_of(folder / "evaluation")
    assert result["examples"] == 11 and result["unseen_classes"] == {"hat": 1}
    # By name: the numbers say otherwise, as valid lists its names in another order.
    classes = result["classes"]
    counted = {name: (entry["train"], entry["support"]) for name, entry in classes.items()}
    assert counted == {"coat": (10, 3), "dress": (11, 4), "skirt": (10, 3), "hat": (0, 1)}
    assert classes["hat"]["recall"] == 0
    counts = np.array(result["confusion"]["counts"])
    assert result["confusion"]["names"] == ["coat", "dress", "skirt", "hat"]
    assert counts.sum() == 11 and result["accuracy"] == pytest.approx(np.trace(counts) / 11)
    f1 = [entry["f1"] for entry in classes.values()]
    assert result["macro_f1"] == pytest.approx(np.mean(f1))
    assert result["verdict"]["model"] == result["macro_f1"]
    assert result["verdict"]["yardstick"] == result["yardstick"]["macro_f1"]
    # What was logged during training is what the report says.
    lines = read_metrics(folder / "metrics.jsonl")
    last, losses = lines[-1], [line["loss"] for line in lines if line["kind"] == "train"]
    assert losses[-1] < losses[0]
    for name in ("accuracy", "macro_f1", "micro_f1", "weighted_f1"):
        assert last[name] == pytest.approx(result[name]), name
    assert (folder / "evaluation" / "confusion.png").read_bytes().startswith(b"\x89PNG")
    said = (folder / "evaluation" / "examples.jsonl").read_text().splitlines()
    said = [json.loads(line) for line in said]
    pairs = [(line["true"], line["predicted"]) for line in said]
    names = result["confusion"]["names"]
    counted = [[pairs.count((row, column)) for column in names] for row in names]
    assert counted == result["confusion"]["counts"]
    assert [line["image_id"] for line in said] == [f"{line['product_id']}_1" for line in said]
    assert all(line["probability_true"] <= line["probability_predicted"] for line in said)
    classes = json.loads((folder / "classes.json").read_text())["classes"]
    assert classes == {"coat": 10, "dress": 11, "skirt": 10}


def test_complete_run_is_evaluated_again_with_the_same_result(prepared, trained):
    before = (trained[0] / "evaluation" / "recognition.json").read_bytes()
    output = finetune(prepared, *TRAIN, "--model_dir=model")
    assert "going on from step" in output
    assert (trained[0] / "evaluation" / "recognition.json").read_bytes() == before


def test_evaluate_gives_the_figures_of_the_run(prepared, trained):
    """Of the model in another kind of file."""
    convert = "kaleido_tf.compat.convert_checkpoint"
    run("-m", convert, "--input=model", "--output=st", "--to=safetensors", cwd=prepared)
    output = finetune(
        prepared,
        "--mode=evaluate",
        "--eval_input_fp=valid",
        "--predict_checkpoint_path=st",
        "--output_dir=again",
        "--train_input_fp=train",
        "--input_sequence_length=9",
    )
    assert output.strip().splitlines()[-1] == trained[1].strip().splitlines()[-1]
    assert result_of(prepared / "again") == result_of(trained[0] / "evaluation")


def test_predict_writes_names_and_probabilities(prepared, trained):
    """Of a single photo that names no classes."""
    finetune(
        prepared,
        "--mode=predict",
        "--predict_input_fp=new",
        "--predict_checkpoint_path=model",
        "--output_dir=predicted",
        "--input_sequence_length=9",
        "--top_classes=2",
    )
    line = json.loads((prepared / "predicted" / "predictions.jsonl").read_text())
    assert (line["product_id"], line["image_id"]) == ("P000", "P000_1")
    names, probabilities = zip(*(entry.values() for entry in line["classes"]))
    assert set(names) < set(KINDS) and len(names) == 2
    assert 1 > probabilities[0] >= probabilities[1] > 0 and sum(probabilities) < 1


def test_a_photo_counts_once_whatever_its_views(prepared):
    """Nine photos of three kinds in two views each."""
    given = ("--train_input_fp=views", "--eval_input_fp=views", "--num_epochs=1")
    output = finetune(prepared, *TRAIN, *given, "--model_dir=viewed")
    assert "18 images (9 of them mirrored)" in output  # what is trained on
    folder = prepared / "viewed"
    counts = json.loads((folder / "classes.json").read_text())["classes"]
    assert counts == {"coat": 3, "dress": 3, "skirt": 3}
    result = result_of(folder / "evaluation")
    assert result["examples"] == result["products"] == 9
    assert [entry["support"] for entry in result["classes"].values()] == [3, 3, 3]
    said = (folder / "evaluation" / "examples.jsonl").read_text().splitlines()
    assert [json.loads(line)["image_id"] for line in said] == [f"P00{n}_1" for n in range(9)]
    # During the training the photos as they are are looked at.
    accuracy = read_metrics(folder / "metrics.jsonl")[-1]["accuracy"]
    assert 9 * accuracy == pytest.approx(round(9 * accuracy), abs=1e-5)


def test_start_is_fine_tuned_with_another_dropout(prepared, trained):
    start = ("--mode=train", "--pretrain_model_name_or_path=model", "--model_dir=dropped")
    given = (*TRAIN, *start, "--num_epochs=0.1")
    output = finetune(prepared, *given, "--dropout=0.25")
    assert "--model_config=model.json is not used: it is for new models, and model" in output
    config = json.loads((prepared / "dropped" / "config.json").read_text())
    assert (config["hidden_dropout_prob"], config["attention_probs_dropout_prob"]) == (0.25, 0.25)
    output = finetune(prepared, *given, status=1)
    assert "holds a run with other flags (--dropout=0.25 there, no --dropout now)" in output


USE = ("--mode=evaluate", "--eval_input_fp=valid", "--predict_checkpoint_path=model")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((*USE, "--task=catepred"), "for --task=catepred is needed. .* was for --task=subcatepred"),
        ((*USE, "--modalities=text"), "--modalities must be what the model .* with, both"),
        ((*TRAIN, "--model_dir=new_model", "--task=catepred"), "two classes. train holds 31 of"),
        ((*TRAIN, "--model_dir=new_model", "--eval_input_fp=new"), "recognition needs `subcateg"),
        (
            (*TRAIN, "--model_dir=new_model", "--dropout=0.3", "--freeze_encoder"),
            "--dropout=0.3 is of the encoder, which --freeze_encoder leaves without",
        ),
        ((*TRAIN, "--model_dir=new_model", "--num_classes=4"), "--num_classes is for rows"),
        (
            (*TRAIN, "--model_dir=headless"),
            "with other classes .*no longer there: hat; new: dress, skirt",
        ),
    ],
)
def test_bad_input_gets_one_message(prepared, trained, arguments, message):
    if "--model_dir=headless" in arguments:
        shutil.copytree(trained[0], prepared / "headless")
        (prepared / "headless" / "classes.json").write_text(
            json.dumps(
                {"task": "subcatepred", "modalities": "both", "classes": {"hat": 3, "coat": 4}}
            )
        )
    output = finetune(prepared, *arguments, status=1)
    assert re.search(f"error: .*{message}", output), output
    assert "Traceback" not in output and not (prepared / "new_model").exists()
