"""The commands of the README, as a user would type them, on drawn products."""

import json
import re
import shutil
import signal
import time

import numpy as np
import pytest

from data_prep.sample.sample_catalogue import write_sample_catalogue
from kaleido_tf.training.metrics_log import read_metrics
from tests.end_to_end.commands import ROOT, run, start

TINY = ROOT / "run_configs" / "tiny_kaleido_bert.json"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Catalogue, records and candidate lists, made by the commands."""
    folder = tmp_path_factory.mktemp("shop")
    write_sample_catalogue(folder / "catalogue", num_products=96)
    output = run(
        "-m",
        "data_prep.write_kaleido_records",
        f"--catalogue={folder}/catalogue/products.jsonl",
        f"--output_dir={folder}/records",
        "--backbone=squeezenet",
        "--backbone_weights=random",
        "--crop_size=64",
        "--records_per_shard=32",
        cwd=folder,
    )
    assert re.search(r"train: (\d+)/\1 images, +[\d.]+ images/s, [\d:]+ left", output)
    assert "photos kept whole" in output
    output = run(
        "-m",
        "data_prep.write_retrieval_candidates",
        f"--records={folder}/records/valid",
        "--num_others=1",
        cwd=folder,
    )
    assert "queries a direction, 1 + 1 candidates" in output
    return folder


def train_command(prepared, model_dir, **changes):
    flags = {
        "mode": "train_and_evaluate",
        "train_input_fp": prepared / "records" / "train",
        "eval_input_fp": prepared / "records" / "valid",
        "model_config": TINY,
        "model_dir": model_dir,
        "input_sequence_length": 24,
        "group_by_length": True,
        "train_batch_size": 8,
        "num_epochs": 3,
        "learning_rate": 1e-3,
        "log_step_count_steps": 2,
        "save_checkpoints_steps": 2,
        "eval_every_steps": 10,
        **changes,
    }
    return [str(ROOT / "pretrain_main.py"), *(f"--{name}={value}" for name, value in flags.items())]


@pytest.fixture(scope="module")
def trained(prepared):
    """A run that was killed without warning after its first checkpoints, and started again."""
    model_dir = prepared / "model"
    process = start(*train_command(prepared, model_dir), cwd=prepared)
    deadline = time.monotonic() + 400
    while not list(model_dir.glob("model.ckpt-4.index")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0][
            -3000:
        ]
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    output = run(*train_command(prepared, model_dir), cwd=prepared)
    assert re.search(r"going on from step \d+", output)
    return model_dir


def test_going_on_with_other_flags_is_refused(prepared, trained):
    before = (trained / "flags.cfg").read_text()
    output = run(
        *train_command(prepared, trained, learning_rate=2e-3, whole_word_masking=True),
        cwd=prepared,
        status=1,
    )
    assert "--learning_rate=0.001 there, --learning_rate=0.002 now" in output
    assert "--nowhole_word_masking there, --whole_word_masking" in output
    assert (trained / "flags.cfg").read_text() == before


def test_killed_run_reaches_the_losses_of_one_that_was_not(prepared, trained):
    run(*train_command(prepared, prepared / "unkilled"), cwd=prepared)
    kept = [
        [
            {k: v for k, v in line.items() if k != "examples_per_second"}
            for line in read_metrics(folder / "metrics.jsonl")
        ]
        for folder in (trained, prepared / "unkilled")
    ]
    assert kept[0] == kept[1]


def test_run_leaves_what_the_contract_says(trained):
    assert {
        "config.json",
        "vocab.txt",
        "flags.cfg",
        "metrics.jsonl",
        "checkpoint",
        "train",
        "eval",
    } <= {p.name for p in trained.iterdir()}
    lines = read_metrics(trained / "metrics.jsonl")
    steps = [line["step"] for line in lines if line["kind"] == "train"]
    assert steps == sorted(set(steps)) and steps[:3] == [2, 4, 6]
    assert "--learning_rate=0.001" in (trained / "flags.cfg").read_text()


def test_flag_file_of_a_run_repeats_it(prepared, trained):
    output = run(ROOT / "pretrain_main.py", f"--flagfile={trained}/flags.cfg", cwd=prepared)
    # complete already: nothing is trained, the last evaluation stands
    assert "going on from step" in output


@pytest.mark.parametrize("direction", ["img2txt", "txt2img"])
def test_predict_writes_results_and_prints_chance(prepared, trained, direction):
    output = run(
        ROOT / "pretrain_main.py",
        "--mode=predict",
        f"--type={direction}",
        f"--predict_input_fp={prepared}/records/valid",
        f"--predict_checkpoint_path={trained}",
        f"--output_dir={prepared}/{direction}",
        cwd=prepared,
    )
    assert re.search(r"Rank@1 +\d+\.\d+% +\(95% .*; chance 50.00%\)", output)
    metrics = json.loads((prepared / direction / "retrieval_metrics.json").read_text())
    lines = (prepared / direction / f"eval_{direction}_results.txt").read_text().splitlines()
    assert all(line.count("\001") == 4 for line in lines)
    assert (
        metrics["examples"]
        == sum(line.split("\001")[0].count("'") // 2 for line in lines)
        == 2 * metrics["queries"]
    )
    assert np.isfinite(metrics["auc"])


def test_evaluate_gives_the_last_evaluation_of_the_run(prepared, trained):
    output = run(
        ROOT / "pretrain_main.py",
        "--mode=evaluate",
        f"--eval_input_fp={prepared}/records/valid",
        f"--model_dir={trained}",
        cwd=prepared,
    )
    last = [line for line in read_metrics(trained / "metrics.jsonl") if line["kind"] == "eval"][-1]
    assert float(re.search(r"jigsaw_loss ([\d.]+)", output).group(1)) == pytest.approx(
        last["jigsaw_loss"], abs=2e-3
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["-m", "data_prep.write_kaleido_records", "--catalogue=gone.jsonl", "--output_dir=out"],
            "error: .*gone.jsonl",
        ),
        ([ROOT / "pretrain_main.py", "--mode=predict"], "error: --mode=predict needs --type"),
        (
            [
                ROOT / "pretrain_main.py",
                "--mode=train",
                "--train_input_fp=gone-*",
                "--model_dir=m",
                f"--model_config={TINY}",
            ],
            "error: Records are needed .* Nothing matches: 'gone-\\*'",
        ),
        (
            [ROOT / "pretrain_main.py", "--mode=evaluate", "--eval_input_fp=x", "--model_dir=gone"],
            "error: A checkpoint .* None at: gone",
        ),
    ],
)
def test_bad_input_gets_one_message_and_status_1(tmp_path, arguments, message):
    output = run(*arguments, cwd=tmp_path, status=1)
    assert re.search(message, output) and "Traceback" not in output


def test_static_rows_are_read_back_by_training(prepared):
    output = run(
        "-m",
        "data_prep.write_easytransfer_rows",
        f"--records={prepared}/records/valid",
        "--output_dir=rows",
        "--input_sequence_length=24",
        "--format=tfrecord",
        "--dupe_factor=2",
        "--rows_per_shard=40",
        cwd=prepared,
    )
    assert "rows: 64 rows of 32 images in 2 files" in output
    schema = (prepared / "rows" / "schema.txt").read_text().strip()
    config = (
        json.loads((prepared / "model" / "config.json").read_text())
        if (prepared / "model").is_dir()
        else json.loads(TINY.read_text())
    )
    # Rows do not say which texts and images differ, as a comparison has to know.
    config = {name: value for name, value in config.items() if not name.startswith("comparison_")}
    (prepared / "rows.json").write_text(
        json.dumps({**config, "patch_feature_size": 512, "vocab_size": 30522})
    )
    run(
        ROOT / "pretrain_main.py",
        "--mode=train",
        "--train_input_fp=rows/rows.list_tfrecord",
        f"--input_schema={schema}",
        "--model_dir=from_rows",
        "--model_config=rows.json",
        "--train_batch_size=8",
        "--num_epochs=0.5",
        "--log_step_count_steps=1",
        cwd=prepared,
    )
    lines = read_metrics(prepared / "from_rows" / "metrics.jsonl")
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5] and all(
        np.isfinite(line["loss"]) for line in lines
    )


def test_alignments_are_written_and_foreign_ids_refused(prepared):
    products = [
        json.loads(line)
        for line in (prepared / "catalogue" / "products.jsonl").read_text().splitlines()
    ]
    named = [
        {"product_id": product["product_id"], **part}
        for product in products
        for part in product["parts"]
    ]
    (prepared / "pairs.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in named))
    shutil.copytree(prepared / "records" / "valid", prepared / "aligned")
    output = run(
        "-m", "data_prep.write_alignments", "--records=aligned", "--pairs=pairs.jsonl", cwd=prepared
    )
    assert "32 of 32 records have aligned pairs" in output
    before = {path.name: path.read_bytes() for path in (prepared / "aligned").iterdir()}
    (prepared / "foreign.jsonl").write_text(
        '{"product_id": "nobody", "word": "collar", "box": [0, 0, 5, 5]}\n'
    )
    output = run(
        "-m",
        "data_prep.write_alignments",
        "--records=aligned",
        "--pairs=foreign.jsonl",
        cwd=prepared,
        status=1,
    )
    assert (
        "error: None of the ids in foreign.jsonl ('nobody', ...) is in the records aligned: nothing"
        " was changed" in output
    )
    assert before == {path.name: path.read_bytes() for path in (prepared / "aligned").iterdir()}


def test_captioner_is_trained_and_aligns_records(prepared):
    train = (
        "-m",
        "data_prep.train_captioner",
        "--records=records/train",
        "--model_dir=captioner",
        "--backbone_weights=random",
        "--cells=3",
        "--units=16",
        "--embedding=8",
        "--attention_units=8",
        "--longest=12",
        "--epochs=1",
    )
    output = run(*train, cwd=prepared)
    assert "captioner/captioner.safetensors: epoch 1, BLEU-4" in output
    assert "complete, after epoch 1 of 1" in run(*train, cwd=prepared)
    shutil.copytree(prepared / "records" / "valid", prepared / "captioned")
    align = (
        "-m",
        "data_prep.write_alignments",
        "--records=captioned",
        "--captioner=captioner",
        "--backbone_weights=random",
    )
    output = run(*align, cwd=prepared)
    said = json.loads((prepared / "captioned" / "dataset.json").read_text())["alignments"]
    assert (
        f"captioned: {said['aligned']} of 32 records have aligned pairs, {said['pairs']} in all"
        in output
    )
    assert said["aligned"] > 16
    # Training a captioner leaves evidence beside it, which alone is needed here.
    assert (said["source"], said["words"], said["heat"]) == ("evidence", "own", "evidence")
    output = run(*align, "--pairs=pairs.jsonl", cwd=prepared, status=1)
    assert (
        "error: Either --evidence (or --captioner) or --pairs is needed. Received: --evidence='',"
        " --captioner='captioner', --pairs='pairs.jsonl'" in output
    )
    output = run(
        "-m",
        "data_prep.train_captioner",
        "--records=records",
        "--model_dir=other",
        "--backbone_weights=random",
        cwd=prepared,
        status=1,
    )
    assert (
        "error: Records need their dataset.json beside them" in output
        and not (prepared / "other").exists()
    )
