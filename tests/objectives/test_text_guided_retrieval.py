"""Runs on triplets: gone on with, on two replicas, and one triplet at a time."""

import numpy as np
import pytest

from kaleido_tf.data.named_photos import NamedPhotos
from kaleido_tf.data.record_table import open_records
from kaleido_tf.data.triplet_config import TripletConfig
from kaleido_tf.data.triplet_examples import TripletExamples
from kaleido_tf.data.triplets import open_triplets
from kaleido_tf.errors import InputError
from kaleido_tf.objectives.text_guided_retrieval import TextGuidedRetrieval
from kaleido_tf.records.record import PIXELS
from kaleido_tf.text import Vocabulary
from kaleido_tf.training import run as training
from kaleido_tf.training.trainer import Trainer
from tests import pixel_records, runs, small_triplets
from tests.tiny_fashion_vil import tiny_fashion_vil

LENGTH = 7
STILL = tiny_fashion_vil(trained_image_parts="convolutions")
"""Without batch statistics, which are of a replica's images."""


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = small_triplets.write(tmp_path_factory.mktemp("triplets"))
    vocabulary = Vocabulary()
    triplets = open_triplets(str(folder / "triplets.jsonl"), "train")
    table = open_records(str(folder / "photos"), PIXELS, pixel_records.SIDE, vocabulary, LENGTH)
    photos = NamedPhotos(table, [n for t in triplets for n in (t.reference, t.target)], "photos")
    side = pixel_records.SIDE
    return TripletExamples(triplets, photos, vocabulary, LENGTH, side, TripletConfig(), 3)


def run_of(model_dir, **changes):
    given = {
        "optimizer": "transformers_adamw",
        "weight_decay_ratio": 0.1,
        "rate_multiplier": 3.0,
        "num_epochs": 3,
        "clip_norm": 0.0,
    }
    return runs.settings(model_dir, model_dir, **{**given, **changes}).run


def train(run, examples, config=STILL):
    build = lambda: TextGuidedRetrieval(config, LENGTH)  # noqa: E731
    return training.train(run, build, examples, examples, lambda model, strategy: None)


def test_a_killed_run_goes_on_to_the_last_digit(examples, tmp_path, monkeypatch):
    chance = tiny_fashion_vil(hidden_dropout_prob=0.2)
    model, figures = train(run_of(tmp_path / "whole"), examples, chance)
    original = Trainer.train_loop_end

    def stop(self):
        if int(self.global_step.numpy()) >= 4:
            raise KeyboardInterrupt
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_loop_end", stop)
        with pytest.raises(KeyboardInterrupt):
            train(run_of(tmp_path / "parts"), examples, chance)
    train(run_of(tmp_path / "parts"), examples, chance)
    lines = runs.lines(tmp_path / "whole")
    assert runs.lines(tmp_path / "parts") == lines and np.isfinite(figures["composition_loss"])
    # Nothing pools: what no gradient reaches has not decayed either.
    assert not any("pooler" in variable.name for variable in model.trainable_variables)
    assert len(model.fast_variables) < len(model.trainable_variables)


def test_two_replicas_are_as_one(examples, tmp_path):
    """Queries are held against the targets of both."""
    more = {"num_epochs": 1, "eval_steps": 9}
    train(run_of(tmp_path / "one", **more), examples)
    two = run_of(tmp_path / "two", cpu_replicas=2, train_batch_size=2, eval_batch_size=2, **more)
    train(two, examples)
    for first, second in zip(*(runs.lines(tmp_path / name) for name in ("one", "two"))):
        for name in ("composition_loss", "gradient_norm"):
            if name in first:
                assert first[name] == pytest.approx(second[name], rel=1e-3, abs=1e-6), name


def test_a_batch_of_one_would_teach_nothing_and_is_refused(examples, tmp_path):
    one = {"train_batch_size": 1, "eval_batch_size": 1, "num_epochs": 0.3}
    with pytest.raises(InputError, match="within a batch, .* Received: --train_batch_size=1"):
        train(run_of(tmp_path / "run", **one), examples)


def test_what_it_needs_is_said(examples, tmp_path):
    with pytest.raises(InputError, match="between the triplets of a batch needs the whole batch"):
        train(run_of(tmp_path / "run", accumulate_steps=2), examples)
    with pytest.raises(InputError, match="a FashionViL. Received: a mvlt"):
        TextGuidedRetrieval(pixel_records.tiny_mvlt(), LENGTH)
