"""Text-guided retrieval from the command line: trained, evaluated, predicted, gone on with, and bad
input refused.
"""

import json
import re

import pytest

from tests import pixel_records, small_triplets
from tests.end_to_end.commands import ROOT, run
from tests.tiny_fashion_vil import tiny_fashion_vil


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = small_triplets.write(tmp_path_factory.mktemp("text_guided"))
    config = tiny_fashion_vil(initializer_range=0.1)
    (folder / "model.json").write_text(json.dumps(config.to_dict()))
    (folder / "mvlt.json").write_text(json.dumps(pixel_records.tiny_mvlt().to_dict()))
    other = {**small_triplets.rows("train", 1)[0], "target": "P077_1"}
    small_triplets.write_rows(folder / "missing.jsonl", [other])
    small_triplets.write_rows(folder / "wrong.jsonl", [{"reference": "a", "text": "is red"}])
    return folder


def finetune(prepared, *arguments, status=0):
    task = "--task=text_guided_retrieval"
    return run(ROOT / "finetune_main.py", task, *arguments, cwd=prepared, status=status)


TRAIN = (
    "--train_input_fp=photos",
    "--train_triplets=triplets.jsonl",
    "--eval_input_fp=photos",
    "--eval_triplets=triplets.jsonl",
    "--model_config=model.json",
    "--input_sequence_length=7",
    "--train_batch_size=4",
    "--eval_batch_size=3",
    "--num_epochs=2",
    "--log_step_count_steps=2",
    "--optimizer=transformers_adamw",
    "--rate_multiplier=2",
    "--learning_rate=1e-2",
)


@pytest.fixture(scope="module")
def trained(prepared):
    """(folder of the model, what the run said)."""
    output = finetune(prepared, *TRAIN, "--model_dir=model")
    return prepared / "model", output


def metrics_in(folder):
    return json.loads((folder / "text_guided_metrics.json").read_text())


def test_run_says_what_others_find_first_and_ends_with_a_verdict(trained):
    folder, output = trained
    lines = output.strip().splitlines()
    begun = next(n for n, line in enumerate(lines) if "M parameters" in line)
    for name in ("chance", "the photo alone", "the text alone", "photo and text added up"):
        (place,) = (n for n, line in enumerate(lines) if line.startswith(f"baseline, {name}"))
        assert place < begun
    assert re.match(r"beside the best baseline \(\w+\), verdict: R@1, mean over", lines[-1])
    assert "targets (main figure): coat 4, garment 5" in output
    content = metrics_in(folder / "evaluation")
    assert content["queries"] == 7 and content["main_gallery"] == "targets"
    assert content["gallery_sizes"] == {
        "targets": {"coat": 4, "garment": 5},
        "references_and_targets": {"coat": 6, "garment": 7},
        "targets_without_reference": {"coat": 4, "garment": 5},
    }
    figures = content["figures"]
    chance = figures["chance"]["targets"]
    assert chance["coat_r@1"] == pytest.approx(1 / 4) and chance["r@10"] == 1
    assert chance["r@1"] == pytest.approx((1 / 4 + 1 / 5) / 2)
    assert figures["photo"]["references_and_targets"]["r@1"] == 0  # each finds itself
    model = figures["model"]["targets"]
    assert model["avg"] == model["r@50"] == 1
    best = figures[content["best_baseline"]]["targets"]
    assert best["avg"] == max(
        figures[name]["targets"]["avg"] for name in ("chance", "photo", "text", "sum", "untrained")
    )
    assert [v["model"] for v in content["verdicts"]] == [1, pytest.approx(model["r@1"])]
    assert {"model_without_text", "model_without_photo"} < set(figures)


def test_a_complete_run_says_the_same_again(prepared, trained):
    before = metrics_in(trained[0] / "evaluation")
    output = finetune(prepared, *TRAIN, "--model_dir=model")
    assert "going on from step" in output
    assert metrics_in(trained[0] / "evaluation") == before


def test_evaluation_alone_gives_the_figures_of_the_run(prepared, trained):
    given = ("--mode=evaluate", "--eval_input_fp=photos", "--eval_triplets=triplets.jsonl")
    given += ("--predict_checkpoint_path=model", "--output_dir=again", "--input_sequence_length=7")
    output = finetune(prepared, *given)
    assert "by this model's own vectors" in output and "no verdict" in output
    run_figures = metrics_in(trained[0] / "evaluation")["figures"]
    figures = metrics_in(prepared / "again")["figures"]
    for name in ("model", "model_without_text", "model_without_photo", "chance"):
        assert figures[name] == run_figures[name]
    assert "untrained" not in figures


def test_prediction_ranks_the_gallery_of_the_class(prepared, trained):
    finetune(
        prepared,
        "--mode=predict",
        "--predict_input_fp=photos",
        "--predict_triplets=triplets.jsonl",
        "--predict_checkpoint_path=model",
        "--output_dir=predicted",
        "--input_sequence_length=7",
    )
    path = prepared / "predicted" / "text_guided_predictions.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["reference"] for line in lines][:2] == ["P000_1", "P001_1"] and len(lines) == 7
    assert lines[5]["captions"] == ["is blue"] and lines[5]["category"] == "coat"
    named = [entry["image_id"] for entry in lines[5]["targets"]]
    assert sorted(named) == ["P002_1", "P009_1", "P010_1", "P011_1"]
    scores = [entry["score"] for entry in lines[5]["targets"]]
    assert scores == sorted(scores, reverse=True) and scores[0] <= 1.00001
    own = metrics_in(trained[0] / "evaluation")["figures"]["model"]["targets"]["coat_r@1"]
    first = [line["targets"][0]["image_id"] for line in lines[4:]]
    right = [small_triplets.photo(n) for n in (9, 10, 11)]
    assert sum(a == b for a, b in zip(first, right)) / 3 == pytest.approx(own)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--train_triplets=missing.jsonl",), r"Not found in photos: P077_1 \(1 of 2\)"),
        (("--train_triplets=wrong.jsonl",), "`target` must be a name .*wrong.jsonl line 1"),
        (("--eval_split=test",), "triplets of the split 'test' are needed. Received: none"),
        (("--model_config=mvlt.json",), "a photo and a text, a FashionViL. Received: a mvlt"),
        (("--smallest_cut=0",), "--smallest_cut must be above 0. Received: 0"),
    ],
)
def test_bad_input_gets_one_message(prepared, arguments, message):
    output = finetune(prepared, *TRAIN, "--model_dir=new_model", *arguments, status=1)
    assert re.search(f"error: .*{message}", output), output
    assert "Traceback" not in output and not (prepared / "new_model").exists()
