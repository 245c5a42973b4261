"""Runs of a tiny model from records: replicas agree, killed runs go on exactly, losses fall."""

import errno
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.config import RunConfig
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_examples
from kaleido_tf.text import DEFAULT_VOCABULARY, Vocabulary
from kaleido_tf.training import pretraining
from kaleido_tf.training import run as training
from kaleido_tf.training.metrics_log import read_metrics
from kaleido_tf.training.optimizer import BertAdam
from kaleido_tf.training.pretraining import check_model
from kaleido_tf.training.trainer import Trainer
from kaleido_tf.training.checkpoints import find_checkpoint, load_own_checkpoint
from tests import small_records
from tests.models.test_kaleido_bert import tiny_config

NO_DROPOUT = dict(vocab_size=30522, patch_feature_size=small_records.FEATURE_SIZE)
DROPOUT = dict(NO_DROPOUT, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    small_records.write(folder / "train", 23, per_shard=5)
    small_records.write(folder / "valid", 9, per_shard=5)
    return folder


def run_config(data, model_dir, **changes):
    settings = dict(
        train_input_fp=str(data / "train"), eval_input_fp=str(data / "valid"), model_dir=str(model_dir),
        vocabulary=str(DEFAULT_VOCABULARY), text_length=9, train_batch_size=4, eval_batch_size=4, num_epochs=2,
        learning_rate=1e-3, log_steps=2, save_steps=3, eval_steps=4, seed=5,
    )
    return RunConfig(**{**settings, **changes})


def pretrain(run, config, evaluates=True):
    train_data, eval_data = (read_examples(pattern, run, config) for pattern in (run.train_input_fp, run.eval_input_fp))
    return pretraining.pretrain(run, config, train_data, eval_data if evaluates else None)


def evaluate_model(run, config, load):
    return pretraining.evaluate_model(run, config, read_examples(run.eval_input_fp, run, config), load)


def lines(model_dir, drop=("examples_per_second",)):
    return [{k: v for k, v in line.items() if k not in drop} for line in read_metrics(pathlib.Path(model_dir) / "metrics.jsonl")]


@pytest.fixture(scope="module")
def whole_run(data, tmp_path_factory):
    """A run with dropout that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    pretrain(run_config(data, folder), tiny_config(**DROPOUT))
    return folder


def test_metrics_hold_every_loss_by_name(whole_run):
    kinds = [(line["kind"], line["step"]) for line in lines(whole_run)]
    # 23 examples, batches of 4, 2 epochs: int(46 / 4) + 1 = 12 steps
    assert kinds == [("train", 2), ("train", 4), ("eval", 4), ("train", 6), ("train", 8), ("eval", 8), ("train", 10), ("train", 12), ("eval", 12)]
    names = ("masked_lm", "next_sentence", "rotation", "jigsaw", "camouflage", "grey_to_color", "blank_to_color")
    for line in lines(whole_run):
        assert line["loss"] == pytest.approx(sum(line[f"{name}_loss"] for name in names), rel=1e-5)
        assert {f"{name}_accuracy" for name in names[:5]} <= set(line)
    assert {"learning_rate", "gradient_norm"} <= set(lines(whole_run)[0])
    assert all(np.isfinite(list(line.values())[2:]).all() for line in lines(whole_run))


def test_tensorboard_has_the_same_losses(whole_run):
    events = sorted((whole_run / "train").glob("events*"))
    found = {}
    for event in tf.compat.v1.train.summary_iterator(str(events[0])):
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    for line in lines(whole_run):
        if line["kind"] == "train":
            assert found["jigsaw_loss"][line["step"]] == pytest.approx(line["jigsaw_loss"], rel=1e-6)


@pytest.mark.parametrize("stop_at", [4, 7])
def test_stopped_and_started_again_goes_on_exactly(data, whole_run, tmp_path, stop_at, monkeypatch):
    stopped_and_resumed(run_config(data, tmp_path), tiny_config(**DROPOUT), stop_at, monkeypatch)
    assert lines(tmp_path) == lines(whole_run)


def stopped_and_resumed(run, config, stop_at, monkeypatch):
    """A run that is interrupted once `stop_at` steps are done, then started again."""
    original = Trainer.train_loop_end

    def stop(self):
        if int(self.global_step.numpy()) >= stop_at:
            raise KeyboardInterrupt
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_loop_end", stop)
        with pytest.raises(KeyboardInterrupt):
            pretrain(run, config)
    pretrain(run, config)


FROM_NOTHING = dict(NO_DROPOUT, matching_similarity=True, patch_feature_norm="standard")


@pytest.mark.parametrize("precision, stop_at", [("float32", 1), ("bfloat16", 7)])
def test_model_from_nothing_goes_on_exactly(data, tmp_path, precision, stop_at, monkeypatch):
    """The start is made once, wherever the run is stopped after it: it is saved as step 0."""
    whole, parts = (run_config(data, tmp_path / name, precision=precision, contrastive_epochs=4, log_steps=1) for name in ("whole", "parts"))
    _, figures = pretrain(whole, tiny_config(**FROM_NOTHING))
    assert np.isfinite(list(figures.values())).all()
    starts = []
    original = pretraining.start_from_nothing
    monkeypatch.setattr(pretraining, "start_from_nothing", lambda *a: (starts.append(a), original(*a)))
    stopped_and_resumed(parts, tiny_config(**FROM_NOTHING), stop_at, monkeypatch)
    assert len(starts) == 1
    assert lines(parts.model_dir) == lines(whole.model_dir)


def test_other_data_are_refused(data, whole_run):
    run = run_config(data, whole_run, train_input_fp=str(data / "valid"))
    with pytest.raises(InputError, match="holds a run on other data than --train_input_fp=.*valid"):
        pretrain(run, tiny_config(**DROPOUT))


def test_start_that_cannot_be_made_is_not_blamed_on_a_checkpoint(data, tmp_path, monkeypatch):
    def fail(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    monkeypatch.setattr(pretraining, "start_from_nothing", fail)
    with pytest.raises(tf.errors.ResourceExhaustedError, match="out of memory"):
        pretrain(run_config(data, tmp_path, contrastive_epochs=1), tiny_config(**FROM_NOTHING))


@pytest.mark.parametrize("owner, method, error", [
    (tf.train.CheckpointManager, "save", tf.errors.ResourceExhaustedError(None, None, "model.ckpt-6; No space left on device")),
    (training.MetricsLog, "write", OSError(errno.ENOSPC, "No space left on device")),
])
def test_full_disk_ends_with_a_message_and_the_run_goes_on_later(data, whole_run, tmp_path, monkeypatch, owner, method, error):
    original, calls = getattr(owner, method), []

    def full(self, *arguments, **named):
        calls.append(method)
        if len(calls) == 3:
            raise error
        return original(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, full)
        with pytest.raises(InputError, match=f"--model_dir={tmp_path} has no room left .*No space left on device"):
            pretrain(run_config(data, tmp_path), tiny_config(**DROPOUT))
    pretrain(run_config(data, tmp_path), tiny_config(**DROPOUT))
    assert lines(tmp_path) == lines(whole_run)


def test_updates_that_float16_skips_do_not_move_the_data(data, tmp_path, monkeypatch):
    """A loss scale that overflows for the first steps: the optimizer counts fewer updates than batches were used."""
    def make_optimizer(run, steps):
        return tf_keras.mixed_precision.LossScaleOptimizer(BertAdam(1e-3), initial_scale=2.0**22)

    monkeypatch.setattr(training, "make_optimizer", make_optimizer)
    config = tiny_config(**NO_DROPOUT)
    whole, parts = (run_config(data, tmp_path / name, precision="float16") for name in ("whole", "parts"))
    pretrain(whole, config)
    # Saves come every 3 steps; 4 is past the first of them, and skipped updates lie before it.
    stopped_and_resumed(parts, config, 4, monkeypatch)
    assert any(line.get("gradient_norm", 0.0) is None for line in lines(whole.model_dir))
    assert lines(parts.model_dir) == lines(whole.model_dir)
    assert lines(whole.model_dir)[-1]["step"] == 12


def test_damaged_checkpoint_is_named(data, whole_run, tmp_path):
    for path in whole_run.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path / path.name)
    newest = tmp_path / "model.ckpt-12.data-00000-of-00001"
    newest.write_bytes(newest.read_bytes()[:3000])
    with pytest.raises(InputError, match="model.ckpt-12 is damaged: its data are cut short. Older ones there: .*model.ckpt-9"):
        pretrain(run_config(data, tmp_path), tiny_config(**DROPOUT))
    with pytest.raises(InputError, match="model.ckpt-12 is damaged: its data are cut short"):
        evaluate_model(run_config(data, tmp_path), tiny_config(**DROPOUT), lambda model: load_own_checkpoint(model, str(tmp_path / "model.ckpt-12")))


def test_run_that_is_complete_is_left_as_it_is(data, whole_run):
    before = lines(whole_run)
    _, figures = pretrain(run_config(data, whole_run), tiny_config(**DROPOUT))
    assert lines(whole_run) == before
    assert figures == {name: value for name, value in before[-1].items() if name not in ("kind", "step")}


def test_two_replicas_give_the_losses_of_one(data, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    config = tiny_config(**NO_DROPOUT)
    pretrain(run_config(data, one), config)
    pretrain(run_config(data, two, train_batch_size=2, eval_batch_size=2, cpu_replicas=2), config)
    assert [line["step"] for line in lines(one)] == [line["step"] for line in lines(two)]
    for a, b in zip(lines(one), lines(two)):
        for name in a:
            if name != "kind":
                assert a[name] == pytest.approx(b[name], rel=2e-4, abs=1e-5), (a["step"], name)


def test_xla_and_plain_agree(data, tmp_path):
    config = tiny_config(**NO_DROPOUT)
    for name, xla in (("plain", False), ("xla", True)):
        pretrain(run_config(data, tmp_path / name, xla=xla, num_epochs=0.5, save_steps=50, eval_steps=50), config, evaluates=False)
    plain, compiled = lines(tmp_path / "plain"), lines(tmp_path / "xla")
    assert len(plain) == len(compiled) > 0
    for a, b in zip(plain, compiled):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)


LEARNING = dict(num_epochs=30, learning_rate=3e-3, log_steps=10, save_steps=500)


@pytest.fixture(scope="module")
def learnt_in_float32(data, tmp_path_factory):
    """The reports of a run that learns, in full precision."""
    folder = tmp_path_factory.mktemp("float32")
    pretrain(run_config(data, folder, **LEARNING), tiny_config(**NO_DROPOUT), evaluates=False)
    return lines(folder)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_trains_like_float32(data, learnt_in_float32, tmp_path, precision):
    """Loss before and after: an update that is lost or wrongly scaled would show."""
    pretrain(run_config(data, tmp_path, **LEARNING, precision=precision), tiny_config(**NO_DROPOUT), evaluates=False)
    mixed, plain = lines(tmp_path), learnt_in_float32
    assert mixed[-1]["step"] == plain[-1]["step"] == 173
    assert mixed[-1]["loss"] == pytest.approx(plain[-1]["loss"], rel=0.05)
    assert plain[-1]["loss"] < 0.9 * plain[0]["loss"]


def test_losses_fall_and_the_checkpoint_gives_them_back(data, tmp_path):
    config = tiny_config(**NO_DROPOUT, num_hidden_layers=1, hidden_size=24)
    run = run_config(data, tmp_path, num_epochs=60, learning_rate=3e-3, log_steps=50, save_steps=500, eval_steps=1000)
    _, figures = pretrain(run, config)
    train = [line for line in lines(tmp_path) if line["kind"] == "train"]
    assert train[-1]["loss"] < 0.6 * train[0]["loss"]
    again = evaluate_model(run, config, lambda model: load_own_checkpoint(model, find_checkpoint(run.model_dir)))
    for name, value in again.items():
        assert value == pytest.approx(figures[name], rel=1e-4, abs=1e-5)


def test_vocabulary_unlike_the_embedding():
    with pytest.raises(InputError, match="`vocab_size`=100 rows; the vocabulary .* has 30522 tokens"):
        check_model(9, tiny_config(**{**NO_DROPOUT, "vocab_size": 100}), Vocabulary())


def test_text_longer_than_the_position_table():
    with pytest.raises(InputError, match="`max_position_embeddings`=11. Received: --input_sequence_length=12"):
        check_model(12, tiny_config(**NO_DROPOUT), Vocabulary())


def test_loss_that_is_not_finite_stops_the_run(data, tmp_path):
    run = run_config(data, tmp_path, learning_rate=1e30, num_epochs=4)
    with pytest.raises(InputError, match="The loss must stay finite. It is .* in the steps up to"):
        pretrain(run, tiny_config(**NO_DROPOUT), evaluates=False)


def test_checkpoint_of_another_model_is_refused(data, whole_run):
    with pytest.raises(InputError, match="does not fit"):
        evaluate_model(
            run_config(data, whole_run), tiny_config(**NO_DROPOUT, num_hidden_layers=3),
            lambda model: load_own_checkpoint(model, find_checkpoint(str(whole_run))),
        )
