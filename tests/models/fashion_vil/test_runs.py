"""Runs of a tiny FashionViL, one task a step."""

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_vil.tokenizer_file import load_tokenizer
from kaleido_tf.models.fashion_vil.tokenizer_names import tokenizer_names
from tests import runs
from tests.tiny_fashion_vil import tiny_fashion_vil, write

STILL = tiny_fashion_vil(trained_image_parts="convolutions")
"""Without batch statistics, which are of a replica's images."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("items")
    return folder, write(folder)


def settings(data, model_dir, **changes):
    folder, named = data
    given = {
        "masking": "independent",
        "token_fraction": 0.4,
        "optimizer": "transformers_adamw",
        "schedule": "multi_step",
        "rate_drops": (0.5,),
        "rate_multiplier": 3.0,
        "weight_decay_ratio": 0.01,
        "clip_norm": 0.0,
        "num_epochs": 3,
    }
    return runs.settings(folder, model_dir, **{**given, **named, **changes})


def trained(data, model_dir, config=STILL, **changes):
    run = settings(data, model_dir, **changes)
    runs.pretrain(run, config, evaluates=False)
    return runs.lines(run.model_dir)


def test_a_killed_run_goes_on_to_the_last_digit(data, tmp_path, monkeypatch):
    chance = tiny_fashion_vil(hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.1)
    more = {"mirror_probability": 0.5, "tasks": ("icc", "mpfc")}
    whole = settings(data, tmp_path / "whole", **more)
    model, figures = runs.pretrain(whole, chance)
    parts = settings(data, tmp_path / "parts", **more)
    runs.interrupted(parts, chance, 5, monkeypatch)
    runs.pretrain(parts, chance)
    lines = runs.lines(whole.model_dir)
    assert runs.lines(parts.model_dir) == lines
    losses = {f"{task}_loss" for task in more["tasks"]}
    assert all(np.isfinite(figures[name]) for name in losses)
    seen = {name for line in lines if line["kind"] == "train" for name in line}
    assert losses <= seen  # in 13 steps, each for one task
    given = tokenizer_names(load_tokenizer(data[1]["patch_tokenizer"]))
    for name, entry in tokenizer_names(model.named_layers["image_tokenizer"]).items():
        np.testing.assert_array_equal(entry.variable, given[name].variable)


@pytest.mark.parametrize("task", ["itc", "mpfc"])
def test_two_replicas_are_as_one(data, tmp_path, task):
    """Contrast is among the pairs of both, and each brings its own number of masked tokens."""
    more = {"tasks": (task,), "num_epochs": 1, "eval_steps": 9}
    one = trained(data, tmp_path / "one", **more)
    two = trained(data, tmp_path / "two", cpu_replicas=2, train_batch_size=2, **more)
    assert [line["step"] for line in one] == [line["step"] for line in two]
    for first, second in zip(one, two):
        for name in (f"{task}_loss", "gradient_norm"):
            assert first[name] == pytest.approx(second[name], rel=1e-3, abs=1e-6), name


@pytest.mark.parametrize(
    "task, message",
    [("itc", "itc finds wrong answers within a batch"), ("itm", "examples or more a replica")],
)
def test_a_batch_in_which_nothing_is_wrong_is_refused(data, tmp_path, task, message):
    with pytest.raises(InputError, match=f"{message}.* Received: --train_batch_size=1"):
        trained(data, tmp_path / "run", tasks=(task,), train_batch_size=1)


def test_lower_precision_is_near(data, tmp_path):
    one = trained(data, tmp_path / "one", tasks=("mlm",), num_epochs=1)
    two = trained(data, tmp_path / "two", tasks=("mlm",), num_epochs=1, precision="bfloat16")
    assert one[-1]["loss"] == pytest.approx(two[-1]["loss"], rel=0.1)


def test_what_needs_the_whole_batch_is_said(data, tmp_path):
    with pytest.raises(InputError, match="contrast between the pairs of a batch needs the whole"):
        trained(data, tmp_path / "run", accumulate_steps=2)
    with pytest.raises(InputError, match="needs --optimizer=transformers_adamw .*bert_adam"):
        trained(data, tmp_path / "run", optimizer="bert_adam")


def test_a_batch_of_one(data, tmp_path):
    one = {"train_batch_size": 1, "eval_batch_size": 1, "num_epochs": 0.3}
    lines = trained(data, tmp_path / "run", tasks=("mlm", "pac"), **one)
    assert all(np.isfinite(line["loss"]) for line in lines)


def test_a_last_batch_of_fewer_examples_than_replicas(data, tmp_path):
    """Of 7 photos a replica has three, and the last one alone. So hard texts are of the same
    batches as with one replica.
    """
    more = {"eval_batch_size": 3, "tasks": ("itm",)}
    one, two = (
        runs.evaluate(
            settings(data, tmp_path / str(replicas), cpu_replicas=replicas, **more),
            STILL,
            lambda model: None,
        )
        for replicas in (1, 2)
    )
    for name in ("itm_loss", "itm_accuracy"):
        assert one[name] == pytest.approx(two[name], rel=1e-4), name
