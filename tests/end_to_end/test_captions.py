"""Captions from the command line: learnt, judged, written, scored, and bad input refused."""

import json

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
TRAIN = (
    "--train_input_fp=train",
    "--eval_input_fp=valid",
    "--model_config=model.json",
    "--input_sequence_length=10",
    "--train_batch_size=4",
    "--eval_batch_size=3",
    "--num_epochs=6",
    "--log_step_count_steps=6",
    "--learning_rate=1e-2",
    "--caption_words=words",
    "--beam_size=2",
)
NAMES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Records of products with two photos each."""
    folder = tmp_path_factory.mktemp("captions")
    small_records.write(folder / "train", 34, images_a_product=2, layout=GRIDS[4])
    small_records.write(folder / "valid", 10, per_shard=3, images_a_product=2, layout=GRIDS[4])
    (folder / "model.json").write_text(json.dumps(SIZES))
    return folder


def caption(prepared, *arguments, status=0):
    return run(ROOT / "finetune_main.py", "--task=caption", *arguments, cwd=prepared, status=status)


@pytest.fixture(scope="module")
def trained(prepared):
    """(folder of the model, what the run said)."""
    return prepared / "model", caption(prepared, *TRAIN, "--model_dir=model")


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_run_ends_with_verdicts_and_leaves_figures_and_captions(trained):
    folder, output = trained
    lines = output.strip().splitlines()
    assert lines[-2].startswith("verdict: cider_words of the yardstick ")
    assert lines[-1].startswith("verdict: bleu_4_words of the yardstick ")
    shown = next(n for n, line in enumerate(lines) if line.startswith("yardstick, the nearest"))
    begun = next(n for n, line in enumerate(lines) if "M parameters" in line)
    assert shown < begun  # before the training
    assert "METEOR is left out" in output
    result = json.loads((folder / "evaluation" / "captions.json").read_text())
    assert result["products"] == 5 and result["attention"] == "causal"
    wanted = {f"{name}_words" for name in NAMES}
    assert wanted <= set(result) and set(result["yardsticks"]["random_text"]) == wanted
    assert not any("meteor" in name for name in result)
    verdict = result["verdicts"][0]
    assert verdict["model"] == pytest.approx(result["cider_words"])
    assert verdict["yardstick"] == result["yardsticks"]["nearest_photo"]["cider_words"]
    written = lines_of(folder / "evaluation" / "captions.jsonl")
    assert [row["product_id"] for row in written] == [f"P{number:03d}" for number in range(5)]
    assert written[3]["image_ids"] == ["P003_1", "P003_2"]
    assert written[3]["references"] == [small_records.fields_of(6, images_a_product=2)["text"]]
    assert all(row["caption"] and row["log_probability"] < 0 for row in written)
    mean = sum(row["cider_words"] for row in written) / 5
    assert mean == pytest.approx(result["cider_words"])
    losses = [line["caption_loss"] for line in read_metrics(folder / "metrics.jsonl")]
    assert losses[-1] < losses[0]


def test_evaluate_gives_the_captions_of_the_run(prepared, trained):
    output = caption(
        prepared,
        "--mode=evaluate",
        "--eval_input_fp=valid",
        "--model_dir=model",
        "--output_dir=again",
        "--caption_words=words",
        "--beam_size=2",
        "--eval_batch_size=2",
        "--model_config=other.json",
    )
    assert "--model_config=other.json is not used: it is for training" in output
    assert "no verdict: the yardsticks need the training records" in output
    ours, before = (
        [row["caption"] for row in lines_of(folder / "captions.jsonl")]
        for folder in (prepared / "again", trained[0] / "evaluation")
    )
    assert ours == before


def test_predict_describes_any_records(prepared, trained):
    output = caption(
        prepared,
        "--mode=predict",
        "--predict_input_fp=valid",
        "--predict_checkpoint_path=model",
        "--output_dir=written",
        "--photos=first",
        "--max_caption_length=3",
    )
    assert "captions.jsonl: 5 products" in output
    rows = lines_of(prepared / "written" / "captions.jsonl")
    assert [row["image_ids"] for row in rows] == [[f"P{number:03d}_1"] for number in range(5)]
    assert set(rows[0]) == {"product_id", "image_ids", "caption", "log_probability"}


def test_captions_of_any_origin_are_scored(prepared, trained):
    command = ("-m", "kaleido_tf.evaluation.score_captions")
    lines = [{"product_id": f"P{n:03d}", "caption": "a red dress with 0 buttons"} for n in (0, 3)]
    (prepared / "ours.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    references = f"--references={trained[0] / 'evaluation' / 'captions.jsonl'}"
    arguments = ("ours.jsonl", references, "--caption_words=words", "--output_json=scores.json")
    output = run(*command, *arguments, cwd=prepared)
    assert output.strip().splitlines()[-1].startswith("2 captions: bleu_1_words 0.")
    # of two texts of six words the second has three others
    scores = json.loads((prepared / "scores.json").read_text())
    assert scores["bleu_1_words"] == pytest.approx(10 / 12)
    # Compared with captions of the same products in another order, which are right.
    right = [
        {"product_id": f"P{n:03d}", "caption": small_records.fields_of(n)["text"]} for n in (3, 0)
    ]
    (prepared / "right.jsonl").write_text("".join(json.dumps(line) + "\n" for line in right))
    output = run(*command, *arguments, "--than=right.jsonl", cwd=prepared)
    assert "bleu_4_words: difference -0." in output and "to the 2 captions of right.jsonl" in output
    (prepared / "right.jsonl").write_text(json.dumps(right[0]))
    output = run(*command, *arguments, "--than=right.jsonl", cwd=prepared, status=1)
    assert "--than: captions of the same products are needed" in output
    (prepared / "ours.jsonl").write_text(json.dumps({"product_id": "P9", "caption": "a"}))
    output = run(*command, "ours.jsonl", references, cwd=prepared, status=1)
    assert "References of every caption's product are needed" in output and "P9" in output
    (prepared / "ours.jsonl").write_text("{}")
    output = run(*command, "ours.jsonl", references, cwd=prepared, status=1)
    assert "ours.jsonl line 1: needed {product_id, caption}" in output


def test_masks_are_filled_where_the_attention_is_full(prepared):
    output = caption(
        prepared,
        *TRAIN,
        "--model_dir=full",
        "--caption_attention=full",
        "--photos=first",
        "--num_epochs=1",
        "--dropout=0.25",
    )
    config = json.loads((prepared / "full" / "config.json").read_text())
    assert (config["hidden_dropout_prob"], config["attention_probs_dropout_prob"]) == (0.25, 0.25)
    assert "verdict: bleu_4_words" in output
    rows = lines_of(prepared / "full" / "evaluation" / "captions.jsonl")
    # "a red dress with 3 buttons": the median text has six word pieces
    assert json.loads((prepared / "full" / "captioner.json").read_text())["median_length"] == 6
    assert all(row["caption"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*TRAIN, "--model_dir=m", "--max_caption_length=9"], "room for 8 word pieces"),
        (
            [*TRAIN, "--model_dir=m", "--caption_attention=full"],
            "read one photo. Received: products",
        ),
        ([*TRAIN, "--model_dir=m", "--input_schema=a:int:1"], "--task=caption reads records"),
        (
            ["--mode=predict", "--predict_input_fp=valid", "--predict_checkpoint_path=other"],
            "A model that was fine-tuned for --task=caption is needed",
        ),
        (["--mode=evaluate", "--model_dir=model"], "--mode=evaluate needs --eval_input_fp"),
        (
            [*TRAIN, "--model_dir=model", "--caption_attention=full", "--photos=first"],
            "holds a run with other flags (--caption_attention=causal there",
        ),
        ([*TRAIN, "--model_dir=other"], "A model that was fine-tuned for --task=caption is needed"),
    ],
)
def test_bad_input_is_refused(prepared, trained, arguments, message):
    other = prepared / "other"
    if not other.is_dir():  # a model without a captioner.json
        other.mkdir()
        for path in trained[0].iterdir():
            if path.is_file() and path.name != "captioner.json":
                (other / path.name).write_bytes(path.read_bytes())
    assert message in caption(prepared, *arguments, status=1)
    assert not (prepared / "m").exists()  # refused before anything is written
