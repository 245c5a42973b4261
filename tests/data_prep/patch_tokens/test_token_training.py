"""A tiny tokenizer learns drawn photos, goes on where it was stopped, and refuses another run's
folder.
"""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from data_prep.patch_tokens import token_training
from data_prep.patch_tokens.pixel_photos import PixelPhotos
from data_prep.patch_tokens.token_settings import TokenSettings
from data_prep.patch_tokens.token_training import train
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_vil.photo_colours import normalised
from kaleido_tf.models.fashion_vil.tokenizer_config import TokenizerConfig
from kaleido_tf.models.fashion_vil.tokenizer_file import load_tokenizer
from tests import checked_photos

SETTINGS = TokenSettings(
    hidden_dim=32,
    multipliers="1,1",
    num_blocks=1,
    z_channels=24,
    code_dim=7,
    num_codes=20,
    decay=0.9,
    holdout=0.2,
    epochs=4,
    batch_size=4,
    learning_rate=3e-3,
    seed=5,
)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return checked_photos.write(tmp_path_factory.mktemp("photos") / "records", 110)


def photos_of(records):
    return PixelPhotos(str(records), SETTINGS.holdout)


def lines(folder):
    told = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "kind"} for line in told]


@pytest.fixture(scope="module")
def run(records, tmp_path_factory):
    """A run that nothing interrupted: its folder and what it returned."""
    folder = tmp_path_factory.mktemp("run") / "tokenizer"
    return folder, train(photos_of(records), str(folder), SETTINGS)


def test_drawn_photos_come_back_better_than_as_means_of_their_cells(run):
    folder, best = run
    told = lines(folder)
    assert told[-1]["loss"] < 0.5 * told[0]["loss"]
    assert best["psnr"] == max(line["psnr"] for line in told) > best["cell_mean_psnr"] + 1
    assert 2 < best["perplexity"] <= best["codes_used"] <= 20


def test_best_epoch_is_read_by_the_model(run, records):
    folder, best = run
    tokenizer = load_tokenizer(folder, grid=4, num_codes=20)
    assert (
        tokenizer.sizes
        == TokenizerConfig(
            hidden_dim=32,
            multipliers=(1, 1),
            num_blocks=1,
            z_channels=24,
            code_dim=7,
            num_codes=20,
            image_side=8,
        ).layer_sizes
    )
    batches = photos_of(records).valid_batches(8, 9)
    codes = np.concatenate([tokenizer(normalised(photos)).numpy() for photos in batches])
    assert codes.shape[1] == 16 and len(np.unique(codes)) == best["codes_used"]


def test_stopped_run_ends_as_an_unbroken_one(run, records, tmp_path, monkeypatch):
    folder, best = run
    original = token_training._Run._train_epoch

    def stopped(self, epoch):
        if epoch == 3:
            raise KeyboardInterrupt
        return original(self, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(token_training._Run, "_train_epoch", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(photos_of(records), str(tmp_path), SETTINGS)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2]
    assert train(photos_of(records), str(tmp_path), SETTINGS) == pytest.approx(best, rel=1e-2)
    for whole, resumed in zip(lines(folder), lines(tmp_path), strict=True):
        assert resumed == pytest.approx(whole, rel=1e-2)


def test_complete_run_is_left_alone(run, records, monkeypatch):
    folder, best = run
    monkeypatch.setattr(
        token_training._Run, "_train_epoch", lambda *_: pytest.fail("trained again")
    )
    assert train(photos_of(records), str(folder), SETTINGS) == best


def test_another_run_s_folder_is_refused(run, records, tmp_path):
    folder, _ = run
    with pytest.raises(
        InputError, match=r"num_codes: 20 there, 21 now\). Use another --output_dir"
    ):
        train(photos_of(records), str(folder), dataclasses.replace(SETTINGS, num_codes=21))
    other = checked_photos.write(tmp_path / "records", 60)
    with pytest.raises(InputError, match="photos_digest: .* Use another --output_dir"):
        train(photos_of(other), str(folder), SETTINGS)


def test_broken_checkpoint_is_named(run, records):
    folder, _ = run
    index = next((folder / "checkpoints").glob("*.index"))
    content = index.read_bytes()
    index.write_bytes(content[:-20])
    with pytest.raises(InputError, match="cannot be read: .* Use another --output_dir to train"):
        train(photos_of(records), str(folder), SETTINGS)
    index.write_bytes(content)


def test_pictures_are_shown(run):
    folder, _ = run
    tags = {
        value.tag
        for path in (folder / "logs").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert {"psnr", "cell_mean_psnr", "perplexity"} < tags
    assert any(tag.startswith("photo, cell means, of codes") for tag in tags)
