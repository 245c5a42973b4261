"""MVLT by its commands: photos to ranks, classes and a picture."""

import dataclasses
import json
import re

import pytest
from PIL import Image

from data_prep.sample.sample_catalogue import write_sample_catalogue
from kaleido_tf.training.metrics_log import read_metrics
from tests.end_to_end.commands import ROOT, run
from tests.pixel_records import tiny_mvlt

SIDE = 64


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Records of pixels and candidate lists, a small model's config, and the model."""
    folder = tmp_path_factory.mktemp("shop")
    write_sample_catalogue(folder / "catalogue", num_products=96)
    records = ["-m", "data_prep.write_pixel_records", f"--catalogue={folder}/catalogue"]
    run(*records, f"--output_dir={folder}/records", f"--image_size={SIDE}", cwd=folder)
    lists = ["-m", "data_prep.write_retrieval_candidates", "--num_others=1"]
    run(*lists, f"--records={folder}/records/valid", cwd=folder)
    config = tiny_mvlt(depths=(1, 1, 1, 1), text_seq_len=24, max_position_embeddings=24)
    content = json.dumps(dataclasses.asdict(config) | {"model_type": "mvlt"})
    (folder / "config.json").write_text(content)
    return folder


def command(shop, script, *flags, status=0, **values):
    named = [f"--{name}={value}" for name, value in values.items()]
    return run(ROOT / script, *flags, *named, cwd=shop, status=status)


@pytest.fixture(scope="module")
def model(shop):
    command(
        shop,
        "pretrain_main.py",
        mode="train_and_evaluate",
        train_input_fp="records/train",
        eval_input_fp="records/valid",
        model_config="config.json",
        model_dir="model",
        input_sequence_length=24,
        train_batch_size=8,
        num_epochs=2,
        image_mask_cell=8,
        optimizer="adamw",
        schedule="epoch_cosine",
        learning_rate=1e-3,
        weight_decay_ratio=0.01,
    )
    return shop / "model"


def test_a_run_leaves_its_figures(model):
    last = read_metrics(model / "metrics.jsonl")[-1]
    assert last["kind"] == "eval" and last["image_psnr"] > 0 < last["masked_lm_loss"]
    assert json.loads((model / "config.json").read_text())["model_type"] == "mvlt"


@pytest.mark.parametrize("direction", ["img2txt", "txt2img"])
def test_candidate_lists_are_ranked(shop, model, direction):
    flags = {"mode": "predict", "type": direction, "predict_input_fp": "records/valid"}
    output = command(shop, "pretrain_main.py", model_dir="model", **flags)
    assert f"{direction}: " in output and "2 to 2 (mean 2.0) candidates" in output
    result = f"model/eval_{direction}_results.txt"
    counted = run(
        "-m", "kaleido_tf.evaluation.retrieval", result, "--protocol=mvlt_release", cwd=shop
    )
    assert "Rank@1 " in counted


def test_classes_are_learnt_and_predicted(shop, model):
    flags = {"task": "subcatepred", "modalities": "image", "num_epochs": 1}
    output = command(
        shop,
        "finetune_main.py",
        train_input_fp="records/train",
        eval_input_fp="records/valid",
        pretrain_model_name_or_path="model",
        model_dir="classes",
        train_batch_size=8,
        **flags,
    )
    assert "yardstick, nearest neighbours" in output and "macro-F1" in output
    report = json.loads((shop / "classes/evaluation/recognition.json").read_text())
    assert 0 <= report["macro_f1_scikit_learn"] <= report["macro_f1"] <= 1
    command(
        shop,
        "finetune_main.py",
        mode="predict",
        task="subcatepred",
        predict_input_fp="records/valid",
        model_dir="classes",
    )
    lines = (shop / "classes/predictions.jsonl").read_text().splitlines()
    assert len(lines) == report["examples"]


def test_a_reconstruction_is_drawn(shop, model):
    image = json.loads((shop / "records/valid/candidates_img2txt.jsonl").read_text().split("\n")[0])
    flags = ["-m", "data_prep.show_product", "--records=records/valid", "--model=model"]
    named = [f"--image_id={image['query']}", "--image_mask_cell=16", "--epoch=1"]
    run(*flags, *named, cwd=shop)
    with Image.open(shop / f"{image['query']}.png") as picture:
        assert picture.size[0] == 1400 and picture.size[1] > 500
        assert len(picture.convert("L").getcolors()) > 50


REFUSED = [
    (["finetune_main.py", "--task=subcatepred", "--modalities=text"], "a photo with every text"),
    (["finetune_main.py", "--task=caption"], "can read a text up to a word.*Received: a mvlt"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_it_cannot_be_trained_for_is_said(shop, model, arguments, message):
    script, *flags = arguments
    data = {"train_input_fp": "records/train", "eval_input_fp": "records/valid"}
    start = {"pretrain_model_name_or_path": "model", "model_dir": f"no_{len(flags)}"}
    output = command(shop, script, *flags, status=1, **data, **start)
    assert "Traceback" not in output
    assert re.search(message, output), output


def test_what_it_has_no_vectors_for_is_said(shop, model):
    flags = {"model_dir": "model", "predict_input_fp": "records/valid", "mode": "predict"}
    output = command(shop, "pretrain_main.py", "--protocol=full", status=1, **flags)
    assert "A model with vectors of texts and photos is needed. Received: a mvlt" in output
    assert "Traceback" not in output
