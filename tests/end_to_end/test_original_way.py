"""The old way only: TF1 checkpoint, CSV bundle, list file and the original's command lines, with
the original's numbers.
"""

import ast
import json
import pathlib
import re
import shutil

import numpy as np
import pytest

from kaleido_tf.evaluation.result_files import read_result_file
from kaleido_tf.training.metrics_log import read_metrics
from tests.end_to_end.commands import ROOT, run
from tests.golden_files import (
    checkpoint_in,
    golden_folder,
    kaleido_bert,
    predictions,
    read_json,
    recognition,
)

MODELS = {  # name in the zoo: (its folder there, golden model)
    "pai-kaleidobert-base-en": ("kaleidobert", kaleido_bert()),
    "pai-imagebert-base-en": ("imagebert", golden_folder() / "fashionbert_tiny"),
}


@pytest.fixture(scope="module")
def golden(golden_dir):
    return golden_dir


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's home with the tiny models in EasyTransfer's zoo, as the release's
    archives unpack.
    """
    home = tmp_path_factory.mktemp("home")
    for name, (folder, model) in MODELS.items():
        place = home / ".eztransfer_modelzoo" / folder / name
        place.mkdir(parents=True)
        for ending in ("index", "data-00000-of-00001"):
            shutil.copy(f"{checkpoint_in(model)}.{ending}", place / f"model.ckpt.{ending}")
        content = read_json(model / "config.json")
        # Losses can be compared with the golden ones only where nothing is dropped.
        (place / "config.json").write_text(
            json.dumps({**content, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
        )
        shutil.copy(kaleido_bert() / "vocab.txt", place / "vocab.txt")
    return home


@pytest.fixture(scope="module")
def schemas(golden):
    return {
        name: entry["input_schema"]
        for name, entry in json.loads((golden / "csv_bundle" / "schemas.json").read_text()).items()
    }


def bundle_rows(golden, name):
    """[{column: text}] of the golden bundle `name`."""
    schema = json.loads((golden / "csv_bundle" / "schemas.json").read_text())[name]
    columns = [part.split(":")[0] for part in schema["input_schema"].split(",")]
    lines = (golden / "csv_bundle" / schema["files"][0]).read_text().splitlines()
    return [dict(zip(columns, line.split("\t"), strict=True)) for line in lines]


def rows_of_a_batch(folder):
    """Rows of the golden batch, which are the first of the bundle."""
    with np.load(folder / "inputs.npz") as inputs:
        return len(inputs["input_ids"])


def values_of(schema, name):
    """Values a row that `schema` declares for column `name`."""
    return int(dict(part.split(":")[::2] for part in schema.split(","))[name])


def write_list(folder, name, *files):
    (folder / name).write_text("".join(f"./{file}\n" for file in files))


def flags_of(name, **changes):
    """The flags of a file in run_configs, some changed to the tiny data; a file's own flags are
    what is tested.
    """
    lines = [
        line
        for line in (ROOT / "run_configs" / name).read_text().splitlines()
        if line.startswith("--")
    ]
    flags = dict(line[2:].split("=", 1) for line in lines)
    assert set(changes) <= {*flags, "log_step_count_steps", "eval_every_steps"}
    return [f"--{key}={value}" for key, value in {**flags, **changes}.items()]


@pytest.fixture(scope="module")
def kaleido_run(golden, home, schemas, tmp_path_factory):
    """run_pretrain.sh on the rows of the golden batch (evaluated on all of the bundle)."""
    folder = tmp_path_factory.mktemp("kaleido")
    count = rows_of_a_batch(kaleido_bert().parent)
    source = golden / "csv_bundle" / "kaleidobert_pretrain_part-00000.csv"
    (folder / "dataset").mkdir()
    (folder / "dataset" / "pretrain_train_0").write_text(
        "".join(source.read_text().splitlines(keepends=True)[:count])
    )
    shutil.copy(source, folder / "dataset" / "pretrain_valid_0")
    write_list(folder / "dataset", "train_list.list_csv", "dataset/pretrain_train_0")
    write_list(folder / "dataset", "dev_list.list_csv", "dataset/pretrain_valid_0")
    output = run(
        ROOT / "pretrain_main.py",
        *flags_of(
            "original_pretrain.cfg",
            input_schema=schemas["kaleidobert_pretrain"],
            train_batch_size=count,
            num_epochs=10,
            log_step_count_steps=1,
        ),
        cwd=folder,
        home=home,
    )
    return folder, output


def test_pretraining_starts_with_the_originals_losses(kaleido_run):
    """The first update has rate 0, so the evaluation after it is that of the golden weights."""
    folder, output = kaleido_run
    assert "--workerGPU=4: this machine has 0 GPU(s)" in output and re.search(
        r"start: (\d+) of \1 variables", output
    )
    expected = np.load(kaleido_bert() / "outputs.npz")
    lines = read_metrics(folder / "checkpoint" / "pretrained" / "metrics.jsonl")
    train, evaluation = lines[:2]
    names = {
        "loss": "total_loss",
        "masked_lm_loss": "mlm_loss",
        "next_sentence_loss": "nsp_loss",
        "rotation_loss": "rotation_loss",
        "jigsaw_loss": "jigsaw_loss",
        "camouflage_loss": "camouflage_loss",
        "grey_to_color_loss": "greymask_loss",
        "blank_to_color_loss": "blankmask_loss",
        "gradient_norm": "grad_global_norm_dense",
    }
    for ours, theirs in names.items():
        assert train[ours] == pytest.approx(float(expected[theirs]), rel=1e-5, abs=2e-6), ours
    assert (train["step"], train["learning_rate"]) == (1, 0.0)
    golden_evaluation = read_json(kaleido_bert() / "meta.json")["estimator_eval"]
    names = {
        "mean_batch_loss": "loss",
        "masked_lm_loss": "eval_masked_lm_loss",
        "masked_lm_accuracy": "eval_masked_lm_accuracy",
        **{
            f"{name}_accuracy": f"{name}_accuracy"
            for name in ("next_sentence", "rotation", "jigsaw", "camouflage")
        },
    }
    for ours, theirs in names.items():
        assert evaluation[ours] == pytest.approx(golden_evaluation[theirs], rel=1e-5, abs=1e-6), (
            ours
        )


def test_cadence_is_the_originals(kaleido_run):
    """One batch of examples, 10 epochs: 11 steps; a checkpoint at 0 and every epoch,
    ten kept.
    """
    folder = kaleido_run[0] / "checkpoint" / "pretrained"
    lines = read_metrics(folder / "metrics.jsonl")
    assert [line["step"] for line in lines if line["kind"] == "train"] == list(range(1, 12))
    saved = sorted(
        int(path.stem.removeprefix("model.ckpt-")) for path in folder.glob("model.ckpt-*.index")
    )
    assert saved == list(range(2, 12))
    rates = [line["learning_rate"] for line in lines if line["kind"] == "train"]
    np.testing.assert_allclose(
        rates, [0.0] + [1e-4 * (1 - t / 11) for t in range(1, 11)], rtol=1e-5
    )


@pytest.mark.parametrize(
    "direction, config", [("img2txt", "original_img2txt.cfg"), ("txt2img", "original_txt2img.cfg")]
)
def test_kaleido_bert_predicts_the_golden_result_file(
    golden, home, schemas, tmp_path, direction, config
):
    rows, names = (
        bundle_rows(golden, "kaleidobert_pretrain"),
        [part.split(":")[0] for part in schemas["kaleidobert_predict"].split(",")],
    )
    check_prediction(
        predictions("kaleidobert"),
        rows,
        names,
        home,
        tmp_path,
        direction,
        flags_of(
            config,
            input_schema=schemas["kaleidobert_predict"],
            predict_input_fp="./rows.list_csv",
            output_dir="./out",
            predict_checkpoint_path=checkpoint_in(kaleido_bert()),
        ),
    )


@pytest.mark.parametrize(
    "direction, config",
    [("img2txt", "fashion_bert_img2txt.cfg"), ("txt2img", "fashion_bert_txt2img.cfg")],
)
def test_fashion_bert_predicts_the_golden_result_file(
    golden, home, schemas, tmp_path, direction, config
):
    """The golden bundle may have the features of the first pairs of the golden file only."""
    rows, names = (
        bundle_rows(golden, "fashionbert_train"),
        [part.split(":")[0] for part in schemas["fashionbert_predict"].split(",")],
    )
    if direction == "txt2img":  # this command names the model by a path
        shutil.copytree(
            home / ".eztransfer_modelzoo" / "imagebert" / "pai-imagebert-base-en",
            tmp_path / "pai-imagebert-base-en",
        )
    check_prediction(
        predictions("fashionbert"),
        rows,
        names,
        home,
        tmp_path,
        direction,
        flags_of(
            config,
            input_schema=schemas["fashionbert_predict"],
            predict_input_fp="./rows.list_csv",
            output_dir="./out",
            image_feature_size=values_of(schemas["fashionbert_predict"], "image_feature"),
            predict_checkpoint_path=checkpoint_in(golden / "fashionbert_tiny"),
        ),
    )


def check_prediction(expected, rows, names, home, folder, direction, flags):
    """Predicts pairs made as the golden result files were, and compares ids, labels and logits."""
    theirs, lines = read_result_file(expected / f"result_{direction}.txt"), []
    count, batch = min(len(theirs.labels), len(rows)), theirs.batch_starts[1]
    for number, row in enumerate(rows[:count]):
        identity = {
            "text_prod_id": f"T{number // 3:03d}",
            "image_prod_id": f"I{number % 3:03d}",
            "prod_img_id": f"P{number:03d}_1",
            "nx_sent_labels": str(number % 2),
            "prod_desc": "a dress",
        }
        lines.append("\t".join({**row, **identity}[name] for name in names) + "\n")
    (folder / "rows.csv").write_text("".join(lines))
    (folder / "rows.list_csv").write_text("rows.csv\n")
    flags = [*flags, f"--predict_batch_size={batch}"]
    output = run(ROOT / "pretrain_main.py", *flags, cwd=folder, home=home)
    assert re.search(rf"{direction}: \d+ queries", output)
    ours = read_result_file(folder / "out" / f"eval_{direction}_results.txt")
    for name in ("text_ids", "image_ids", "image_file_ids", "labels"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name)[:count])
    np.testing.assert_allclose(ours.logits, theirs.logits[:count], atol=2e-5, rtol=1e-5)
    assert ours.batch_starts.tolist() == list(range(0, count, batch))
    if len(theirs.labels) == count:
        # To the letter, but for the last digits of the logits.
        for a, b in zip(
            (folder / "out" / f"eval_{direction}_results.txt").open(),
            (expected / f"result_{direction}.txt").open(),
        ):
            assert [ast.literal_eval(field) for field in a.split("\001")[:4]] == [
                ast.literal_eval(field) for field in b.split("\001")[:4]
            ]
        counted = run(
            "-m",
            "kaleido_tf.evaluation.retrieval",
            f"out/eval_{direction}_results.txt",
            "--protocol=kaleido",
            "--output_json=figures.json",
            cwd=folder,
        )
        figures, golden_figures = (
            json.loads((folder / "figures.json").read_text()),
            json.loads((expected / "metrics.json").read_text()),
        )
        for name in ("accuracy", "auc", "rank@1", "rank@5", "rank@10", "rank@100"):
            assert figures[name] == pytest.approx(
                golden_figures[f"result_{direction}.txt"][name], abs=1e-9
            ), (name, counted)


def test_fashion_bert_trains_as_its_guide_says(golden, home, schemas, tmp_path):
    source = golden / "csv_bundle" / "fashionbert_train_part-00000.csv"
    count = rows_of_a_batch(golden / "fashionbert_tiny")
    lines = source.read_text().splitlines(keepends=True)[:count]
    (tmp_path / "rows").write_text("".join(lines))
    for name in ("train_list.list_csv", "dev_list.list_csv"):
        (tmp_path / name).write_text(f"{tmp_path}/rows\n")  # the guide's lists hold absolute paths
    run(
        ROOT / "pretrain_main.py",
        *flags_of(
            "fashion_bert_train.cfg",
            input_schema=schemas["fashionbert_train"],
            image_feature_size=values_of(schemas["fashionbert_train"], "image_feature"),
            num_epochs=10,
            log_step_count_steps=1,
        ),
        cwd=tmp_path,
        home=home,
    )
    expected = np.load(golden / "fashionbert_tiny" / "outputs.npz")
    train, evaluation = read_metrics(tmp_path / "fashionbert_model_dir" / "metrics.jsonl")[:2]
    names = {
        "loss": "total_loss",
        "masked_lm_loss": "mlm_loss",
        "next_sentence_loss": "nsp_loss",
        "image_loss": "mpm_loss",
        "masked_lm_weight": "w0",
        "next_sentence_weight": "w1",
        "image_weight": "w2",
    }
    for ours, theirs in names.items():
        assert train[ours] == pytest.approx(float(expected[theirs]), rel=1e-5, abs=2e-6), ours
    assert train["gradient_norm"] == pytest.approx(
        read_json(golden / "fashionbert_tiny" / "meta.json")["losses"]["grad_global_norm_dense"],
        rel=1e-5,
    )
    assert evaluation["loss"] == pytest.approx(float(expected["total_loss"]), rel=1e-5)


@pytest.mark.parametrize(
    "config, task",
    [("original_catepred.cfg", "catepred"), ("original_subcatepred.cfg", "subcatepred")],
)
def test_recognition_runs_and_learns(home, tmp_path, config, task):
    folder = recognition()
    schema = json.loads((folder / "meta.json").read_text())["input_schema"]
    shutil.copy(folder / "finetune.csv", tmp_path / "finetune_train_0")
    (tmp_path / "dataset").mkdir()
    for part in ("train", "eval"):
        write_list(tmp_path / "dataset", f"{part}_{task}_list.list_csv", "finetune_train_0")
    output = run(
        ROOT / "finetune_main.py",
        *flags_of(
            config,
            input_schema=schema,
            train_batch_size=8,
            num_epochs=30,
            learning_rate=5e-3,
            log_step_count_steps=5,
            eval_every_steps=45,
        ),
        cwd=tmp_path,
        home=home,
    )
    assert "--predict_checkpoint_path is not read in training" in output
    lines = read_metrics(tmp_path / "checkpoint" / "classification" / task / "metrics.jsonl")
    first, last = (
        line for line in (lines[0], [line for line in lines if line["kind"] == "train"][-1])
    )
    assert last["loss"] < 0.7 * first["loss"]
    assert {"accuracy", "micro_f1", "macro_f1", "weighted_f1"} <= set(lines[-1])


def test_fine_tuned_checkpoint_gives_the_originals_figures(tmp_path):
    folder, prefix = recognition(), checkpoint_in(recognition())
    for path in (folder / "config.json", *folder.glob("model.ckpt-*")):
        shutil.copy(path, tmp_path / path.name)
    shutil.copy(kaleido_bert() / "vocab.txt", tmp_path / "vocab.txt")
    meta = json.loads((folder / "meta.json").read_text())
    output = run(
        ROOT / "finetune_main.py",
        "--mode=evaluate",
        f"--task={meta['task']}",
        f"--eval_input_fp={folder}/finetune.csv",
        f"--predict_checkpoint_path={pathlib.Path(prefix).name}",
        f"--input_schema={meta['input_schema']}",
        cwd=tmp_path,
    )
    figures = dict(re.findall(r"(\w+) ([\d.]+)", output[output.index("evaluation of") :]))
    names = {
        "mean_batch_loss": "loss",
        "accuracy": "py_accuracy",
        "macro_f1": "py_macro_f1",
        "micro_f1": "py_micro_f1",
        "weighted_f1": "py_weighted_f1",
    }
    for ours, theirs in names.items():
        assert float(figures[ours]) == pytest.approx(meta["estimator_eval"][theirs], abs=6e-5), ours


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["--pretrain_model_name_or_path=pai-kaleidobert-large-en"],
            "needs config.json, vocab.txt and model.ckpt.index.*place the files",
        ),
        (
            ["--input_sequence_length=60"],
            (
                "--input_sequence_length=60 must be the length of `input_ids` in --input_schema."
                r" Declared: \d+"
            ),
        ),
        (
            ["--vocab_size=30522"],
            "--vocab_size=30522 must be the model's. Its config.json says \\d+",
        ),
        (["--train_input_fp=gone.list_csv"], "Nothing matches: 'gone.list_csv'"),
    ],
)
def test_bad_input_gets_one_message(golden, home, schemas, tmp_path, arguments, message):
    rows = golden / "csv_bundle" / "kaleidobert_pretrain_part-00000.csv"
    output = run(
        ROOT / "pretrain_main.py",
        *flags_of(
            "original_pretrain.cfg",
            input_schema=schemas["kaleidobert_pretrain"],
            train_input_fp=rows,
            eval_input_fp=rows,
        ),
        *arguments,
        cwd=tmp_path,
        home=home,
        status=1,
    )
    assert re.search(f"error: .*{message}", output) and "Traceback" not in output
