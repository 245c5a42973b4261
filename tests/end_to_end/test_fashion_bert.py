"""FashionBERT by its commands: photos to ranks, and replicas that agree."""

import json
import re

import pytest

from data_prep.sample.sample_catalogue import write_sample_catalogue
from kaleido_tf.training.metrics_log import read_metrics
from tests.end_to_end.commands import ROOT, run


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Records of 4x4 patches and candidate lists, and a small model's config."""
    folder = tmp_path_factory.mktemp("shop")
    write_sample_catalogue(folder / "catalogue", num_products=96)
    output = run(
        "-m",
        "data_prep.write_fashion_bert_records",
        f"--catalogue={folder}/catalogue/products.jsonl",
        f"--output_dir={folder}/records",
        "--grid=4",
        "--backbone=squeezenet",
        "--backbone_weights=random",
        "--crop_size=64",
        "--records_per_shard=32",
        cwd=folder,
    )
    assert re.search(r"train: 64/\d+ images", output)
    dataset = json.loads((folder / "records" / "train" / "dataset.json").read_text())
    assert dataset["layout"] == "grid_4x4" and dataset["feature_shapes"] == {
        "patch_features": [16, 512]
    }
    run(
        "-m",
        "data_prep.write_retrieval_candidates",
        f"--records={folder}/records/valid",
        "--num_others=1",
        cwd=folder,
    )
    config = json.loads((ROOT / "run_configs" / "small_fashion_bert.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**config, "hidden_size": 24, "intermediate_size": 40})
    )
    return folder


def train(prepared, model_dir, **changes):
    flags = {
        "mode": "train_and_evaluate",
        "train_input_fp": prepared / "records" / "train",
        "eval_input_fp": prepared / "records" / "valid",
        "model_config": prepared / "config.json",
        "model_dir": model_dir,
        "input_sequence_length": 24,
        "num_epochs": 1,
        "learning_rate": 1e-3,
        "log_step_count_steps": 1,
        "train_batch_size": 8,
        "eval_batch_size": 8,
        "contrastive_epochs": 1,
        **changes,
    }
    run(
        ROOT / "pretrain_main.py",
        *(f"--{name}={value}" for name, value in flags.items()),
        cwd=prepared,
    )
    return read_metrics(model_dir / "metrics.jsonl")


@pytest.fixture(scope="module")
def trained(prepared):
    return train(prepared, prepared / "one")


def test_model_follows_the_records(prepared, trained):
    config = json.loads((prepared / "one" / "config.json").read_text())
    assert (
        config["model_type"],
        config["max_patch_position_embeddings"],
        config["patch_feature_size"],
    ) == ("imagebert", 16, 512)
    assert {"image_loss", "image_weight", "masked_lm_weight", "next_sentence_weight"} <= set(
        trained[0]
    )


def test_two_replicas_give_the_losses_of_one(prepared, trained):
    """Also of the adaptive loss, whose weights depend on all replicas, and of the
    similarity term.
    """
    both = train(prepared, prepared / "two", train_batch_size=4, eval_batch_size=4, cpu_replicas=2)
    assert [(line["kind"], line["step"]) for line in both] == [
        (line["kind"], line["step"]) for line in trained
    ]
    for a, b in zip(trained, both):
        for name in set(a) - {"kind", "examples_per_second"}:
            assert a[name] == pytest.approx(b[name], rel=1e-3, abs=1e-4), (
                a["kind"],
                a["step"],
                name,
            )


@pytest.mark.parametrize("direction", ["img2txt", "txt2img"])
def test_predict_prints_chance(prepared, trained, direction):
    output = run(
        ROOT / "pretrain_main.py",
        "--mode=predict",
        f"--type={direction}",
        f"--predict_input_fp={prepared}/records/valid",
        f"--predict_checkpoint_path={prepared}/one",
        f"--output_dir={prepared}/{direction}",
        cwd=prepared,
    )
    assert re.search(r"Rank@1 +\d+\.\d+% +\(95% .*; chance 50.00%\)", output)


def test_records_of_the_other_family_are_refused(prepared):
    output = run(
        ROOT / "pretrain_main.py",
        "--mode=train",
        f"--train_input_fp={prepared}/records/train",
        "--model_dir=kaleido",
        "--model_config=run_configs/tiny_kaleido_bert.json",
        "--input_sequence_length=24",
        cwd=prepared,
        status=1,
    )
    assert (
        "error: The model needs records of layout kaleido" in output and "Traceback" not in output
    )
    assert not (prepared / "kaleido").exists()
