"""Runs of epochs: which is best, and what a kill or a broken loss leaves."""

import json
import pathlib

import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.training.epoch_run import EpochRun


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def epochs_of(folder, losses):
    """A run of epochs whose figures are given: what it returned, and which epochs it kept."""
    model, kept = tf_keras.Sequential([tf_keras.layers.Dense(1)]), []
    model.build([None, 2])
    run = EpochRun(pathlib.Path(folder), len(losses), "score", model, tf_keras.optimizers.Adam())
    epochs = []
    best = run.to_the_end(
        lambda epoch: epochs.append(epoch) or 1.0,
        lambda _, epoch: {"score": 0.0, "valid_loss": losses[epoch - 1]},
        lambda: kept.append(epochs[-1]),
        str,
    )
    return best, kept


def test_among_equal_scores_the_lowest_loss_is_best(tmp_path):
    best, kept = epochs_of(tmp_path, [3.0, 1.0, 2.0])
    assert (best["epoch"], kept) == (2, [1, 2])


def test_kill_between_checkpoint_and_report_loses_neither(tmp_path, monkeypatch):
    save = tf.train.CheckpointManager.save

    def killed(self, number):
        save(self, number)
        if number == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.CheckpointManager, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            epochs_of(tmp_path, [3.0, 1.0, 2.0])
    best, kept = epochs_of(tmp_path, [3.0, 1.0, 2.0])
    assert (
        [line["step"] for line in lines(tmp_path)] == [1, 2, 3]
        and best["epoch"] == 2
        and kept == []
    )


def test_loss_that_is_no_number_ends_the_run(tmp_path):
    model = tf_keras.Sequential()
    with pytest.raises(
        InputError, match="The loss of epoch 1 is no number: use a lower --learning_rate"
    ):
        EpochRun(pathlib.Path(tmp_path), 3, "x", model, tf_keras.optimizers.Adam()).to_the_end(
            lambda epoch: float("nan"), None, None, None
        )
