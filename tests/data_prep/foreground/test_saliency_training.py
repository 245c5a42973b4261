"""A tiny network learns drawn shapes, goes on where it was stopped, and refuses another run's
folder.
"""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_prep.foreground import saliency_training
from data_prep.foreground.mask_augmentation import Example
from data_prep.foreground.mask_scores import mask_iou
from data_prep.foreground.saliency import THRESHOLD, UNetSettings, load_saliency
from data_prep.foreground.saliency_training import TrainSettings, saliency_loss, train
from kaleido_tf.errors import InputError
from tests import drawn_photos

SETTINGS = TrainSettings(
    UNetSettings(width=3, side=32), epochs=10, batch_size=3, learning_rate=0.02, seed=5
)


def examples(train_photos, valid_photos):
    found = [
        Example(f"p{n}", image, mask.astype(np.uint8))
        for n in range(train_photos + valid_photos)
        for image, mask in [drawn_photos.draw(n)]
    ]
    return {"train": found[:train_photos], "valid": found[train_photos:]}


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of drawn shapes: its folder and what it returned."""
    folder = tmp_path_factory.mktemp("run") / "model"
    return folder, train(examples(20, 7), folder, SETTINGS)


def test_drawn_shapes_are_learnt(run):
    folder, best = run
    assert lines(folder)[-1]["loss"] < 0.7 * lines(folder)[0]["loss"]
    assert best["mask_iou"] > 0.8 and best["box_iou"] > 0.7 and best["f_measure"] > 0.85
    network = load_saliency(folder / "saliency.safetensors")
    fresh = [drawn_photos.draw(n) for n in range(100, 109)]
    found = network.masks([image for image, _ in fresh])
    assert (
        np.mean([mask_iou(map_ > THRESHOLD, mask) for map_, (_, mask) in zip(found, fresh)]) > 0.75
    )


def test_run_tells_what_it_did(run):
    folder, best = run
    assert [line["step"] for line in lines(folder)] == list(range(1, 11))
    assert (
        best["mask_iou"] == max(line["mask_iou"] for line in lines(folder))
        and lines(folder)[best["epoch"] - 1]["mask_iou"] == best["mask_iou"]
    )
    assert set(lines(folder)[0]) == {
        "kind",
        "step",
        "loss",
        "valid_loss",
        "mask_iou",
        "f_measure",
        "box_iou",
    }
    tags = {
        value.tag
        for path in (folder / "logs").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert {"loss", "valid_loss", "mask_iou", "f_measure", "box_iou"} < tags and sum(
        "photo, found, true/p" in tag for tag in tags
    ) == 6


def test_complete_run_is_left_alone(run, monkeypatch):
    folder, best = run
    monkeypatch.setattr(
        saliency_training._Run, "_train_epoch", lambda *_: pytest.fail("trained again")
    )
    before = (folder / "saliency.safetensors").read_bytes()
    assert train(examples(20, 7), folder, SETTINGS) == best
    assert (folder / "saliency.safetensors").read_bytes() == before


def test_stopped_run_ends_as_an_unbroken_one(run, tmp_path, monkeypatch):
    folder, best = run
    original = saliency_training._Run._train_epoch

    def stopped(self, epoch):
        if epoch == 4:
            raise KeyboardInterrupt
        return original(self, epoch)

    monkeypatch.setattr(saliency_training._Run, "_train_epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(examples(20, 7), tmp_path, SETTINGS)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3]
    monkeypatch.undo()
    assert train(examples(20, 7), tmp_path, SETTINGS) == pytest.approx(best, rel=1e-2)
    for whole, resumed in zip(lines(folder), lines(tmp_path)):
        assert whole["step"] == resumed["step"] and whole["loss"] == pytest.approx(
            resumed["loss"], rel=1e-2
        )
    assert len(lines(tmp_path)) == 10


def test_broken_checkpoint_is_named(run, tmp_path):
    folder, _ = run
    shutil.copytree(folder, tmp_path / "copy")
    for path in (tmp_path / "copy" / "checkpoints").glob("*.index"):
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="ckpt-10 cannot be read: .* Use another --model_dir"):
        train(examples(20, 7), tmp_path / "copy", SETTINGS)


def test_other_settings_photos_and_empty_splits_are_refused(run):
    folder, _ = run
    data = examples(20, 7)
    with pytest.raises(
        InputError, match=r"other settings or photos \(learning_rate: 0.02 there, 0.03 now\)"
    ):
        train(data, folder, dataclasses.replace(SETTINGS, learning_rate=0.03))
    with pytest.raises(
        InputError, match="photos: {'train': 20, 'valid': 7} there, {'train': 19, 'valid': 7} now"
    ):
        train({**data, "train": data["train"][1:]}, folder, SETTINGS)
    with pytest.raises(InputError, match="needed to hold out. Received: none"):
        train({**data, "valid": []}, folder, SETTINGS)
    with pytest.raises(InputError, match="needed to learn from. Received: none"):
        train({"train": [], "valid": data["valid"]}, folder, SETTINGS)
    with pytest.raises(InputError, match="--batch_size must be at least 1. Received: 0"):
        dataclasses.replace(SETTINGS, batch_size=0)


def test_loss_by_hand():
    """Two photos of one row; the second has two pixels outside of it, of which one would
    be wrong.
    """
    logits = tf.constant([[[0.0, 2.0, -3.0]], [[1.0, 50.0, -50.0]]])
    masks = tf.constant([[[1, 1, 0]], [[1, 0, 0]]])
    valid = tf.constant([[[1, 1, 1]], [[1, 0, 0]]])

    def one(x, y):
        p = 1 / (1 + np.exp(-np.array(x)))
        y = np.array(y, float)
        entropy = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
        return entropy + 1 - ((p * y).sum() + 1) / ((p + y - p * y).sum() + 1)

    expected = (one([0.0, 2.0, -3.0], [1, 1, 0]) + one([1.0], [1])) / 2
    assert float(saliency_loss(logits, masks, valid)) == pytest.approx(expected, rel=1e-5)
