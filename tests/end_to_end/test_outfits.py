"""Outfits from the command line: trained, gone on with, evaluated, and bad input refused."""

import json
import shutil

import pytest

from kaleido_tf.models.fashion_vil.original import outfit_names
from kaleido_tf.models.fashion_vil.outfit_model import OutfitModel
from kaleido_tf.training.checkpoints import find_checkpoint, load_own_checkpoint
from tests import pixel_records, small_outfits, torch_files
from tests.end_to_end.commands import ROOT, run
from tests.tiny_fashion_vil import tiny_fashion_vil

EVALUATE = (
    "--eval_input_fp=photos",
    "--eval_outfits=outfits.jsonl",
    "--fill_in_blank=blanks.json",
    "--compatibility=judged.txt",
    "--eval_batch_size=5",
)
TRAIN = (
    "--train_input_fp=photos",
    "--train_outfits=outfits.jsonl",
    "--model_config=model.json",
    "--outfit_vector_size=7",
    "--train_batch_size=4",
    "--log_step_count_steps=2",
    "--optimizer=adamw",
    "--learning_rate=1e-2",
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = small_outfits.write(tmp_path_factory.mktemp("outfits"))
    (folder / "model.json").write_text(json.dumps(tiny_fashion_vil().to_dict()))
    (folder / "mvlt.json").write_text(json.dumps(pixel_records.tiny_mvlt().to_dict()))
    return folder


def finetune(prepared, *arguments, status=0):
    command = (ROOT / "finetune_main.py", "--task=outfits", *arguments)
    return run(*command, cwd=prepared, status=status)


@pytest.fixture(scope="module")
def trained(prepared):
    """(folder of the model, what the run said)."""
    output = finetune(prepared, *TRAIN, *EVALUATE, "--num_epochs=2", "--model_dir=model")
    return prepared / "model", output


def metrics_in(folder):
    return json.loads((folder / "outfit_metrics.json").read_text())


def test_run_begins_with_baselines_and_ends_with_verdicts(trained):
    folder, output = trained
    assert "12 questions over 10 photos, 2 with answers, 3 outfits to be judged" in output
    lines = output.splitlines()
    assert (
        sum(line.startswith("no --pretrain_model_name_or_path: the image") for line in lines) == 1
    )
    begun = next(n for n, line in enumerate(lines) if "M parameters, tasks: outfit" in line)
    for name in ("chance", "photos of like colours", "photos alike to the start's"):
        (place,) = (n for n, line in enumerate(lines) if line.startswith(f"baseline, {name}"))
        assert place < begun
    assert lines[-1].startswith("beside the best baseline")
    figures = metrics_in(folder / "evaluation")["figures"]
    assert set(figures) == {"chance", "colours", "alike", "model"}
    assert figures["chance"]["fill_in_blank"] == pytest.approx(1 / 3)
    assert set(figures["model"]) > {"r@1", "r@10", "avg", "compatibility_auc"}


def test_every_question_is_answered_within_its_category(trained):
    folder, _ = trained
    content = (folder / "evaluation" / "outfit_predictions.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in content]
    assert len(rows) == 12
    for row in rows:
        kind = int(row["wanted"][1:4]) % len(pixel_records.KINDS)
        found = [int(item["image_id"][1:4]) for item in row["found"]]
        assert found and {number % len(pixel_records.KINDS) for number in found} == {kind}
        assert row["wanted"] in {item["image_id"] for item in row["found"]}


def test_evaluation_alone_gives_the_same_figures(prepared, trained):
    folder, _ = trained
    where = ("--mode=evaluate", "--predict_checkpoint_path=model", "--output_dir=again")
    finetune(prepared, *EVALUATE, *where)
    again, before = metrics_in(prepared / "again"), metrics_in(folder / "evaluation")
    assert again["figures"]["model"] == pytest.approx(before["figures"]["model"], abs=1e-6)


def test_the_release_s_settings_and_form(prepared):
    """Its questions, its categories, rows that only feed the gallery, and its draws."""
    items = {small_outfits.item(n): {"category_id": "11"} for n in range(small_outfits.COUNT)}
    (prepared / "metadata.json").write_text(json.dumps(items))
    rows = [
        {"question": small_outfits.outfit(n, n + 1), "blank": small_outfits.item(n + 4)}
        for n in range(5)
    ]
    extra = {"question": ["P000"], "blank": "P011", "fake_data": True}
    (prepared / "ocir.json").write_text(json.dumps([*rows, extra]))
    output = finetune(
        prepared,
        f"--flagfile={ROOT / 'run_configs' / 'fashion_vil_outfits.cfg'}",
        "--train_input_fp=photos",
        "--train_outfits=ocir.json",
        "--eval_input_fp=photos",
        "--eval_outfits=ocir.json",
        "--item_metadata=metadata.json",
        "--model_config=model.json",
        "--train_batch_size=4",
        "--num_epochs=0.5",
        "--warmup_steps=0",
        "--model_dir=polyvore",
    )
    assert "5 questions over 10 photos, 0 with answers, 0 outfits to be judged" in output
    assert metrics_in(prepared / "polyvore" / "evaluation")["figures"]["chance"][
        "r@1"
    ] == pytest.approx(1 / 6)
    described = json.loads((prepared / "polyvore" / "outfits.json").read_text())
    assert len(described["categories"]) == 153


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--model_config=mvlt.json",), "--task=outfits needs a FashionViL. Received: a mvlt"),
        (("--train_outfits=missing.jsonl",), "Not found in --train_input_fp: P077 (1 of 2)"),
        (("--train_outfits=single.jsonl",), "An outfit needs two items or more. Received: P001"),
        (("--train_split=test",), "outfits of the split 'test' are needed"),
        (("--fill_in_blank=uneven.json",), "equally many `answers` in every question are needed"),
        (("--item_metadata=shirts.json",), "Every item needs a category. Not in shirts.json"),
        (("--mode=predict",), "--task=outfits answers with --mode=evaluate"),
    ],
)
def test_bad_input_is_one_message(prepared, arguments, message):
    write = small_outfits.write_lines
    write(prepared / "missing.jsonl", [{"items": ["P000", "P077"], "split": "train"}])
    write(prepared / "single.jsonl", [{"items": ["P001"], "split": "train"}])
    content = json.loads((prepared / "blanks.json").read_text())
    content[0]["answers"].pop()
    (prepared / "uneven.json").write_text(json.dumps(content))
    (prepared / "shirts.json").write_text(json.dumps({"P000": {"category_id": "11"}}))
    output = finetune(prepared, *TRAIN, *EVALUATE, "--model_dir=bad", *arguments, status=1)
    assert output.splitlines()[-1].startswith("error: ") and message in output
    assert not (prepared / "bad").exists()


def test_a_model_of_another_task_completes_nothing(prepared, trained, tmp_path):
    folder, _ = trained
    (folder / "outfits.json").rename(tmp_path / "outfits.json")
    where = ("--mode=evaluate", "--predict_checkpoint_path=model", "--output_dir=again")
    output = finetune(prepared, *EVALUATE, *where, status=1)
    (tmp_path / "outfits.json").rename(folder / "outfits.json")
    assert "fine-tuned for --task=outfits is needed, with its outfits.json" in output


def test_the_release_s_state_dict_is_read(prepared, trained, tmp_path):
    """Under the names of the release's modules the weights give the same answers."""
    folder, _ = trained
    described = json.loads((folder / "outfits.json").read_text())
    config = tiny_fashion_vil()
    model = OutfitModel(config, len(described["categories"]), described["vector_size"])
    _ = model.trainable_variables
    load_own_checkpoint(model, find_checkpoint(str(folder)))
    names = outfit_names(model)
    arrays = {f"module.{n}": e.to_original(e.variable.numpy()) for n, e in names.items()}
    for name in ("config.json", "vocab.txt", "outfits.json"):
        shutil.copy(folder / name, tmp_path / name)
    torch_files.write_torch_file(tmp_path / "csa.pth", {"model": arrays})
    where = (f"--predict_checkpoint_path={tmp_path / 'csa.pth'}", f"--output_dir={tmp_path}")
    finetune(prepared, *EVALUATE, "--mode=evaluate", *where)
    again, before = metrics_in(tmp_path), metrics_in(folder / "evaluation")
    assert again["figures"]["model"] == pytest.approx(before["figures"]["model"], abs=1e-6)

    (tmp_path / "outfits.json").write_text(json.dumps({**described, "vector_size": 8}))
    output = finetune(prepared, *EVALUATE, "--mode=evaluate", *where, status=1)
    assert "does not fit the model" in output and "proj_layer.weight needs [8, 96]" in output
