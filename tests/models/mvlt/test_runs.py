"""Runs of a tiny MVLT from records of pixels."""

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.training.run_config import RunConfig
from tests import pixel_records, runs
from tests.pixel_records import tiny_mvlt

CONFIG = tiny_mvlt(depths=(1, 1, 1, 1))
FIGURES = {"loss", "masked_lm_loss", "next_sentence_loss", "image_loss", "next_sentence_accuracy"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pixels")
    pixel_records.write(folder / "train", 16)
    pixel_records.write(folder / "valid", 7)
    return folder


def settings(data, model_dir, **changes):
    given = {"image_mask_cell": 8, "negatives": "any", "optimizer": "adamw", "num_epochs": 1}
    return runs.settings(data, model_dir, **{**given, "weight_decay_ratio": 0.01, **changes})


def trained(data, model_dir, config=CONFIG, evaluates=False, **changes):
    run = settings(data, model_dir, **changes)
    runs.pretrain(run, config, evaluates=evaluates)
    return runs.lines(run.model_dir)


@pytest.fixture(scope="module")
def words_alone(data, tmp_path_factory):
    """A run without reconstruction, whose batch statistics are of a replica's or part's images."""
    return trained(data, tmp_path_factory.mktemp("plain") / "run", tasks=(), clip_norm=0.0)


def same(found, expected, rel):
    assert [line["step"] for line in found] == [line["step"] for line in expected]
    for one, other in zip(found, expected):
        for name in set(one) & set(other) - {"kind"}:
            assert one[name] == pytest.approx(other[name], rel=rel, abs=1e-6), (name, one["step"])


def test_a_killed_run_goes_on_to_the_last_digit(data, tmp_path, monkeypatch):
    chance = tiny_mvlt(depths=(1, 1, 1, 1), drop_path_prob=0.3, hidden_dropout_prob=0.2)
    more = {"mirror_probability": 0.5, "masking": "independent", "image_mask": "release"}
    whole = trained(data, tmp_path / "whole", chance, evaluates=True, **more)
    parts = settings(data, tmp_path / "parts", **more)
    runs.interrupted(parts, chance, 3, monkeypatch)
    runs.pretrain(parts, chance)
    assert runs.lines(parts.model_dir) == whole
    assert set(whole[-1]) >= FIGURES and np.isfinite(whole[-1]["loss"])


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu_replicas": 2, "train_batch_size": 2, "eval_batch_size": 2},
        {"accumulate_steps": 2},
        {"xla": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_however_it_is_computed_it_is_the_same(data, words_alone, tmp_path, changes):
    found = trained(data, tmp_path / "run", tasks=(), **{"clip_norm": 0.0, **changes})
    same(found, words_alone, rel=2e-4)


def test_lower_precision_is_near(data, words_alone, tmp_path):
    found = trained(data, tmp_path / "run", tasks=(), clip_norm=0.0, precision="bfloat16")
    assert found[-1]["loss"] == pytest.approx(words_alone[-1]["loss"], rel=0.05)


def test_batch_statistics_of_two_replicas(data, tmp_path):
    """Each normalises by its own images, and what they keep is the mean of both."""
    changes = {"cpu_replicas": 2, "train_batch_size": 2, "num_epochs": 0.25}
    run = settings(data, tmp_path / "run", **changes)
    model, _ = runs.pretrain(run, CONFIG, evaluates=False)
    (line,) = [line for line in runs.lines(run.model_dir) if line["kind"] == "train"]
    assert np.isfinite(line["image_loss"])
    norms = [
        part for part in model.named_layers["image"].submodules if hasattr(part, "moving_mean")
    ]
    assert len(norms) == 11
    assert all(np.isfinite(norm.moving_mean.numpy()).all() for norm in norms)
    assert all((norm.moving_variance.numpy() != 1).all() for norm in norms)


def test_parts_must_divide_the_batch():
    with pytest.raises(InputError, match="--accumulate_steps. Received: 10 and 3"):
        RunConfig(train_batch_size=10, accumulate_steps=3)


def test_whole_epochs_warm_up(data, tmp_path):
    run = settings(data, tmp_path / "run", schedule="epoch_cosine", warmup_steps=3)
    with pytest.raises(InputError, match="--schedule=epoch_cosine warms up in whole epochs"):
        runs.pretrain(run, CONFIG)


def test_another_text_length_is_refused(data, tmp_path):
    run = settings(data, tmp_path / "run", text_length=8)
    with pytest.raises(InputError, match="--input_sequence_length must be.*`text_seq_len`=9"):
        runs.pretrain(run, CONFIG)
