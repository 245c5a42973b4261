"""FashionViL by its commands: photos to ranks and classes."""

import json

import pytest
import tensorflow as tf

from kaleido_tf.training.metrics_log import read_metrics
from tests import tiny_fashion_vil
from tests.end_to_end.commands import ROOT, run

LENGTH = 9


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Records of items with two photos, candidate lists, a small model's config, and the model."""
    folder = tmp_path_factory.mktemp("shop")
    tiny_fashion_vil.write(folder)
    lists = ["-m", "data_prep.write_retrieval_candidates", "--num_others=1"]
    run(*lists, f"--records={folder}/valid", cwd=folder)
    content = tiny_fashion_vil.tiny_fashion_vil().to_dict()
    (folder / "config.json").write_text(json.dumps(content))
    command(
        folder,
        "pretrain_main.py",
        mode="train_and_evaluate",
        train_input_fp="train",
        eval_input_fp="valid",
        model_config="config.json",
        model_dir="model",
        kaleido_tasks="itc,pac",
        pseudo_attributes="attributes.txt",
        input_sequence_length=LENGTH,
        train_batch_size=4,
        num_epochs=1,
        optimizer="transformers_adamw",
        schedule="multi_step",
        rate_drops="0.5,0.75",
        rate_multiplier=20,
    )
    return folder


def command(shop, script, *flags, status=0, **values):
    named = [f"--{name}={value}" for name, value in values.items()]
    return run(ROOT / script, *flags, *named, cwd=shop, status=status)


def test_a_run_leaves_its_figures(shop):
    last = read_metrics(shop / "model" / "metrics.jsonl")[-1]
    assert last["kind"] == "eval" and last["itc_loss"] > 0 < last["pac_loss"]
    assert "mlm_loss" not in last
    assert json.loads((shop / "model" / "config.json").read_text())["model_type"] == "fashion_vil"


def test_it_ranks_lists_and_galleries(shop):
    given = {"mode": "predict", "predict_input_fp": "valid", "model_dir": "model"}
    output = command(shop, "pretrain_main.py", type="img2txt", **given)
    assert "2 to 2 (mean 2.0) candidates" in output and "Rank@1 " in output
    command(shop, "pretrain_main.py", protocol="full", **given)
    content = json.loads((shop / "model" / "gallery_retrieval.json").read_text())
    assert 0 <= content["vectors"]["img2txt"]["full_recall_at_1"] <= 1


def test_it_is_evaluated_on_the_tasks_whose_heads_it_has(shop):
    given = {"mode": "evaluate", "eval_input_fp": "valid", "model_dir": "model"}
    output = command(shop, "pretrain_main.py", pseudo_attributes="attributes.txt", **given)
    assert "pac_loss" in output and "icc_loss" in output and "itm_loss" not in output


CONFIGS = ROOT / "run_configs"
RETRIEVAL = {
    "flagfile": CONFIGS / "fashion_vil_retrieval.cfg",
    "input_sequence_length": LENGTH,
    "warmup_steps": 1,
    "train_input_fp": "train",
    "eval_input_fp": "valid",
    "pretrain_model_name_or_path": "model",
    "model_dir": "retrieval",
    "train_batch_size": 4,
    "num_epochs": 1,
    "learning_rate": 1e-3,
}


@pytest.fixture(scope="module")
def retriever(shop):
    """What fine-tuning said, and the folder that it left."""
    return command(shop, "finetune_main.py", **RETRIEVAL), shop / "retrieval"


def test_it_is_fine_tuned_to_retrieve(shop, retriever):
    output, folder = retriever
    place = folder / "evaluation"
    gallery = json.loads((place / "gallery_retrieval.json").read_text())["vectors"]
    judged = json.loads((place / "gallery_verdicts.json").read_text())
    for way in ("img2txt", "txt2img"):
        figure = f"{way} full_recall_at_1"
        assert judged[figure]["model"] == gallery[way]["full_recall_at_1"]
        metrics = json.loads((place / f"{way}_retrieval_metrics.json").read_text())
        assert metrics["rank@1"] == pytest.approx(metrics["verdict"]["model"])
        for verdict in (judged[figure], metrics["verdict"]):
            said = f"what it starts from: {verdict['figure']} {verdict['yardstick']:.4f}"
            assert said in output and f"verdict: {verdict['figure']} of the yardstick" in output
    before = command(
        shop, "finetune_main.py", task="retrieval", mode="evaluate", eval_input_fp="valid",
        predict_checkpoint_path="model", output_dir="before",
    )  # fmt: skip
    assert "no verdict" in before
    first = json.loads((shop / "before" / "gallery_retrieval.json").read_text())["vectors"]
    for way in ("img2txt", "txt2img"):  # the start's own figures are the yardstick
        yardstick = judged[f"{way} full_recall_at_1"]["yardstick"]
        assert first[way]["full_recall_at_1"] == pytest.approx(yardstick)


def test_its_vectors_begin_at_their_first_length(shop, retriever):
    start = tf.train.load_checkpoint(str(retriever[1] / "model.ckpt-0"))
    name = "model/named_layers/contrastive_norm/scale/.ATTRIBUTES/VARIABLE_VALUE"
    assert start.get_tensor(name) == 4
    assert tf.train.load_checkpoint(str(shop / "model")).get_tensor(name) != 4


@pytest.mark.parametrize(
    "flags, message",
    [
        ({"mode": "export", "output_dir": "out"}, "Export needs a model that reads patch features"),
        ({"mode": "train", "train_input_fp": "train"}, "pac needs --pseudo_attributes"),
    ],
)
def test_what_it_cannot_do_is_said(shop, flags, message):
    more = {} if flags["mode"] == "export" else {"model_config": "config.json"}
    where = "model" if flags["mode"] == "export" else "new"
    output = command(shop, "pretrain_main.py", status=1, model_dir=where, **flags, **more)
    assert message in output


def test_settings_of_other_tasks_are_refused(shop):
    given = {**RETRIEVAL, "model_dir": "new", "list_candidates": 5}
    output = command(shop, "finetune_main.py", status=1, **given)
    assert "--list_candidates is for models that learn from lists" in output
    given = {**RETRIEVAL, "model_dir": "new", "task": "subcatepred"}
    output = command(shop, "finetune_main.py", status=1, **given)
    assert "--mirror_probability is for --task=retrieval" in output
    recognition = {"flagfile": CONFIGS / "fashion_vil_subcategory.cfg", "model_dir": "new"}
    output = command(shop, "finetune_main.py", status=1, **recognition)
    assert "--mode=train_and_evaluate needs --train_input_fp" in output
    assert not (shop / "new").exists()
