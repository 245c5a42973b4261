"""Runs of recognition on records, with batches of one: killed and gone on with, and on two
replicas.
"""

import dataclasses

import numpy as np
import pytest

from kaleido_tf.data.labelled_examples import LabelledExamples
from kaleido_tf.data.record_table import open_records
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.scoring import score_batches
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.objectives.recognition import Classifier, balanced_weights
from kaleido_tf.objectives.recognition_config import RecognitionConfig
from kaleido_tf.records.record import GRIDS, KALEIDO
from kaleido_tf.text import Vocabulary
from kaleido_tf.training import run as training
from kaleido_tf.training.run_config import DeviceConfig, RunConfig
from kaleido_tf.training.strategy import make_strategy
from kaleido_tf.training.trainer import Trainer
from tests import runs, small_records

CONFIG = FashionBertConfig(
    hidden_size=12,
    num_hidden_layers=1,
    num_attention_heads=3,
    intermediate_size=20,
    max_position_embeddings=11,
    patch_feature_size=small_records.FEATURE_SIZE,
    max_patch_position_embeddings=16,
)
SETTINGS = RecognitionConfig(class_weights="balanced")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """(training records, others of which every third is of a class that training lacks)."""
    folder = tmp_path_factory.mktemp("records")
    parts = []
    for name, count in (("train", 14), ("valid", 7)):
        small_records.write(folder / name, count, layout=GRIDS[4])
        size, vocabulary = small_records.FEATURE_SIZE, Vocabulary()
        table = open_records(str(folder / name), GRIDS[4], size, vocabulary, 9)
        labels = np.arange(count) % (2 if name == "train" else 3)
        parts.append(LabelledExamples(table, labels.astype(np.int32), "both", vocabulary, 5))
    return parts


def build():
    return Classifier(CONFIG, "catepred", 2, 9, SETTINGS, balanced_weights([7, 7]), unseen=1)


def run_in(folder, **changes):
    values = {"train_batch_size": 1, "eval_batch_size": 3, "num_epochs": 0.6, "eval_steps": 4}
    more = {"learning_rate": 1e-2, "log_steps": 2, "save_steps": 3, "seed": 5}
    return RunConfig(model_dir=str(folder), **{**values, **more, **changes})


def train(run, records):
    return training.train(run, build, *records, lambda model, strategy: None)


@pytest.fixture(scope="module")
def whole(records, tmp_path_factory):
    """(run, model, figures)."""
    run = run_in(tmp_path_factory.mktemp("whole"))
    return run, *train(run, records)


def test_a_killed_run_goes_on_to_the_same_figures(whole, records, tmp_path, monkeypatch):
    original = Trainer.train_loop_end

    def stop(self):
        if int(self.global_step.numpy()) >= 5:
            raise KeyboardInterrupt
        return original(self)

    run = dataclasses.replace(whole[0], model_dir=str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_loop_end", stop)
        with pytest.raises(KeyboardInterrupt):
            train(run, records)
    _, figures = train(run, records)
    assert figures == whole[2]
    assert runs.lines(tmp_path) == runs.lines(whole[0].model_dir)


def test_two_replicas_give_the_predictions_of_one_in_order(whole, records):
    """The last batch of seven examples is smaller on one of them, and there are unseen classes."""
    model, valid = whole[1], records[1]
    alone = model.logits(next(iter(valid.evaluation_batches(7))))
    device = DeviceConfig(cpu_replicas=2)
    run = run_in(whole[0].model_dir, eval_batch_size=2, device=device)
    copy, weights = {}, model.objective.get_weights()

    def load(other):
        other.objective.set_weights(weights)
        copy["model"] = other

    figures = training.evaluate(run, build, valid, load)
    for name in ("accuracy", "macro_f1", "classification_loss"):
        assert figures[name] == pytest.approx(whole[2][name], abs=1e-5), name
    strategy = make_strategy(device)
    scores = score_batches(copy["model"].logits, strategy, valid.evaluation_batches(4), 7, "images")
    np.testing.assert_allclose(scores, alone, atol=1e-5)


def test_other_records_are_refused(records, tmp_path):
    folder = small_records.write(tmp_path, 2)
    size = small_records.FEATURE_SIZE
    with pytest.raises(InputError, match="needs records of layout grid_4x4.* holds kaleido"):
        open_records(str(folder), GRIDS[4], size, Vocabulary(), 9)
    with pytest.raises(InputError, match="`patch_feature_size` is 7, the records .* hold 6"):
        open_records(str(folder), KALEIDO, 7, Vocabulary(), 9)
