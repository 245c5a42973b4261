"""Runs of epochs: which is best, and what a kill or a broken loss leaves."""

import json
import math
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.training.epoch_run import EpochRun, WarmCosine


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


NAN = float("nan")


@pytest.mark.parametrize("losses, best", [([3.0, NAN, 2.0], 3), ([NAN, 5.0, float("inf")], 2)])
def test_epoch_without_a_valid_loss_is_said_and_never_the_best(tmp_path, capsys, losses, best):
    figures, kept = epochs_of(tmp_path, losses)
    assert figures["epoch"] == best and kept[-1] == best
    assert "not counted: its valid_loss or score is no number" in capsys.readouterr().out
    again, kept = epochs_of(tmp_path, losses)
    assert again == figures and kept == []
    assert [line["valid_loss"] is None for line in lines(tmp_path)] == [
        not math.isfinite(loss) for loss in losses
    ]


def test_run_goes_on_after_an_epoch_without_a_valid_loss(tmp_path):
    epochs_of(tmp_path, [3.0, NAN])
    best, kept = epochs_of(tmp_path, [3.0, NAN, 1.0])
    assert (best["epoch"], kept) == (3, [3])


def test_run_without_any_valid_loss_ends_with_a_message(tmp_path):
    for _ in range(2):
        with pytest.raises(InputError, match="In no epoch .* were both score and valid_loss"):
            epochs_of(tmp_path, [NAN, NAN])


def test_keras_decay_is_another_schedule():
    """Why there is one of our own (docs/experiments.md)."""
    ours = WarmCosine(8.0, 4, 12)
    keras = tf_keras.optimizers.schedules.CosineDecay(0.0, 8, warmup_target=8.0, warmup_steps=4)
    rates = [[float(schedule(step)) for step in range(13)] for schedule in (ours, keras)]
    np.testing.assert_allclose(rates[0][4:], rates[1][4:], atol=1e-5)
    assert rates[0][:4] == [2.0, 4.0, 6.0, 8.0] and rates[1][:4] == [0.0, 2.0, 4.0, 6.0]
