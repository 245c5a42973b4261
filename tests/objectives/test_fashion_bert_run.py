"""FashionBERT in a run: adaptive loss, resuming, XLA."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.families import build_model
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.records.record import GRIDS
from kaleido_tf.training.trainer import Trainer
from tests import small_records
from tests.runs import interrupted, lines, pretrain
from tests.runs import settings as run_config

CONFIG = FashionBertConfig(
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=11,
    patch_feature_size=small_records.FEATURE_SIZE,
    max_patch_position_embeddings=16,
    masked_image_token_num=3,
    hidden_dropout_prob=0.1,
    attention_probs_dropout_prob=0.1,
)
WITHOUT_DROPOUT = dataclasses.replace(
    CONFIG, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
)
WEIGHTS = ("masked_lm_weight", "next_sentence_weight", "image_weight")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grid")
    small_records.write(folder / "train", 23, per_shard=5, layout=GRIDS[4])
    small_records.write(folder / "valid", 9, per_shard=5, layout=GRIDS[4])
    return folder


@pytest.fixture(scope="module")
def whole_run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    pretrain(run_config(data, folder, log_steps=1), CONFIG)
    return folder


def test_metrics_hold_image_loss_and_the_three_weights(whole_run):
    train = [line for line in lines(whole_run) if line["kind"] == "train"]
    for line in train:
        assert sum(line[name] for name in WEIGHTS) == pytest.approx(1.0, abs=1e-5)
        parts = sum(line[name] * line[name.replace("_weight", "_loss")] for name in WEIGHTS)
        assert line["loss"] == pytest.approx(parts, rel=1e-4)
    evaluation = [line for line in lines(whole_run) if line["kind"] == "eval"][-1]
    assert {
        "image_loss",
        "masked_lm_loss",
        "next_sentence_loss",
        "masked_lm_accuracy",
        "next_sentence_accuracy",
    } <= set(evaluation)


def test_stopped_and_started_again_goes_on_exactly(data, whole_run, tmp_path, monkeypatch):
    run = run_config(data, tmp_path, log_steps=1)
    interrupted(run, CONFIG, 7, monkeypatch)
    pretrain(run, CONFIG)
    assert lines(tmp_path) == lines(whole_run)


def test_xla_and_plain_agree(data, tmp_path):
    for name, xla in (("plain", False), ("xla", True)):
        run = run_config(
            data,
            tmp_path / name,
            log_steps=1,
            num_epochs=0.5,
            save_steps=50,
            eval_steps=50,
            xla=xla,
        )
        pretrain(run, WITHOUT_DROPOUT, evaluates=False)
    plain, compiled = lines(tmp_path / "plain"), lines(tmp_path / "xla")
    assert len(plain) == len(compiled) == 3
    for a, b in zip(plain, compiled):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)


def test_xla_on_several_replicas_is_refused(data):
    class TwoReplicas:
        num_replicas_in_sync = 2

    model = build_model(CONFIG, None, 9)
    with pytest.raises(InputError, match="the adaptive loss needs all of them"):
        Trainer(model, None, TwoReplicas(), global_batch=2, log_steps=1, last_step=1, xla=True)


def test_losses_fall_from_nothing(data, tmp_path):
    """With the contrastive start, the similarity term and normalised features."""
    config = dataclasses.replace(
        WITHOUT_DROPOUT,
        hidden_size=24,
        patch_feature_norm="standard",
        matching_similarity=True,
        initializer_range=0.1,
    )
    run = run_config(
        data,
        tmp_path,
        num_epochs=40,
        learning_rate=3e-3,
        log_steps=50,
        save_steps=500,
        eval_steps=1000,
        contrastive_epochs=20,
    )
    _, figures = pretrain(run, config)
    train = [line for line in lines(tmp_path) if line["kind"] == "train"]
    assert train[-1]["loss"] < 0.6 * train[0]["loss"]
    assert np.isfinite(list(figures.values())).all()
    assert tf.train.latest_checkpoint(str(tmp_path)).endswith(f"model.ckpt-{train[-1]['step']}")
