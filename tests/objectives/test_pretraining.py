"""Runs of a tiny model from records: replicas agree, killed runs go on exactly, losses fall."""

import dataclasses
import errno
import shutil
import time
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.command_line.examples import open_vocabulary, text_length
from kaleido_tf.data.sampling import ExampleOrder
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.models.kaleido_bert.model import KaleidoBert
from kaleido_tf.objectives import pretraining
from kaleido_tf.objectives.pretraining import Pretraining
from kaleido_tf.objectives.pretraining_config import PretrainingConfig
from kaleido_tf.text import DEFAULT_VOCABULARY
from kaleido_tf.training import run as training
from kaleido_tf.training.checkpoints import find_checkpoint, load_own_checkpoint
from kaleido_tf.training.data_service_config import DataServiceConfig
from kaleido_tf.training.optimizer import BertAdam
from tests import data_services, runs, small_records
from tests.runs import evaluate as evaluate_model
from tests.runs import interrupted, lines, pretrain
from tests.tiny_models import tiny_config

NO_DROPOUT = dict(vocab_size=30522, patch_feature_size=small_records.FEATURE_SIZE)
DROPOUT = dict(NO_DROPOUT, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    small_records.write(folder / "train", 23, per_shard=5)
    small_records.write(folder / "valid", 9, per_shard=5)
    return folder


run_config = runs.settings

FROM_SCRATCH = dict(matching_similarity=True, patch_feature_norm="standard")
WHOLE = tiny_config(**DROPOUT, **FROM_SCRATCH)


def whole_config(data, model_dir, **changes):
    return run_config(data, model_dir, contrastive_epochs=1, **changes)


@pytest.fixture(scope="module")
def whole_run(data, tmp_path_factory):
    """A run with dropout and a start from scratch that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    pretrain(whole_config(data, folder), WHOLE)
    return folder


def test_metrics_hold_every_loss_by_name(whole_run):
    kinds = [(line["kind"], line["step"]) for line in lines(whole_run)]
    # 23 examples, batches of 4, 2 epochs: int(46 / 4) + 1 = 12 steps
    assert kinds == [
        ("train", 2),
        ("train", 4),
        ("eval", 4),
        ("train", 6),
        ("train", 8),
        ("eval", 8),
        ("train", 10),
        ("train", 12),
        ("eval", 12),
    ]
    names = (
        "masked_lm",
        "next_sentence",
        "rotation",
        "jigsaw",
        "camouflage",
        "grey_to_color",
        "blank_to_color",
    )
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
            assert found["jigsaw_loss"][line["step"]] == pytest.approx(
                line["jigsaw_loss"], rel=1e-6
            )


def test_stopped_and_started_again_goes_on_exactly(data, whole_run, tmp_path, monkeypatch):
    """Stopped three times, each time in another way, and each time after other steps than were
    saved.
    """
    starts = counted_starts(monkeypatch)
    run, whole = whole_config(data, tmp_path), lines(whole_run)
    stops = [
        # of step 3; before it the report of step 2
        ("a checkpoint finds no room", NO_ROOM_FOR_CHECKPOINT, 1, "model.ckpt-0"),
        # that of the evaluation at step 4
        ("a line of metrics finds no room", NO_ROOM_FOR_METRICS, 2, "model.ckpt-3"),
        ("interrupted", None, 4, "model.ckpt-6"),  # after step 8, before its report
    ]
    for how, failure, written, saved in stops:
        if failure:
            with pytest.raises(
                InputError,
                match=f"--model_dir={tmp_path} has no room left .*No space left on device",
            ):
                fail_at_third_call(*failure, lambda: pretrain(run, WHOLE), monkeypatch)
        else:
            interrupted(run, WHOLE, 7, monkeypatch)
        assert lines(tmp_path) == whole[:written], how
        assert find_checkpoint(str(tmp_path)) == str(tmp_path / saved), how
    pretrain(run, WHOLE)
    assert lines(tmp_path) == whole
    assert len(starts) == 1  # it is saved as step 0


NO_ROOM_FOR_CHECKPOINT = (
    tf.train.CheckpointManager,
    "save",
    tf.errors.ResourceExhaustedError(None, None, "model.ckpt-6; No space left on device"),
)
NO_ROOM_FOR_METRICS = (
    training.MetricsLog,
    "write",
    OSError(errno.ENOSPC, "No space left on device"),
)


def fail_at_third_call(owner, method, error, do, monkeypatch):
    """`do()`, in which the third call of a method of `owner` raises `error`."""
    original, calls = getattr(owner, method), []

    def full(self, *arguments, **named):
        calls.append(method)
        if len(calls) == 3:
            raise error
        return original(self, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, full)
        do()


def counted_starts(monkeypatch):
    """A list that grows with every contrastive start."""
    starts = []
    original = pretraining.start_from_scratch
    monkeypatch.setattr(
        pretraining, "start_from_scratch", lambda *a: (starts.append(a), original(*a))
    )
    return starts


def served(run, address):
    """The run through a tf.data service."""
    service = DataServiceConfig(address, timeout=20)
    return dataclasses.replace(run, run=dataclasses.replace(run.run, data_service=service))


def test_a_run_through_a_service_is_the_run_without(data, whole_run, tmp_path):
    with data_services.running(workers=2) as address:
        pretrain(served(whole_config(data, tmp_path), address), WHOLE)
    assert lines(tmp_path) == lines(whole_run)


def test_data_that_no_service_reads_are_refused(data, tmp_path):
    rows = mock.MagicMock(spec=["__len__", "digest", "describe"])
    rows.describe.return_value = "5 rows of 1 files"
    run = served(run_config(data, tmp_path), "nowhere:1").run
    with pytest.raises(InputError, match=r"\(5 rows of 1 files are read by.*service=nowhere:1$"):
        training.evaluate(run, None, rows, None)


def test_model_from_nothing_goes_on_exactly_in_bfloat16(data, tmp_path, monkeypatch):
    settings = dict(
        precision="bfloat16", contrastive_epochs=4, num_epochs=1, tasks=("jigsaw", "grey_to_color")
    )
    whole, parts = (
        run_config(data, tmp_path / name, log_steps=1, **settings) for name in ("whole", "parts")
    )
    config = tiny_config(**NO_DROPOUT, **FROM_SCRATCH)
    _, figures = pretrain(whole, config)
    assert np.isfinite(list(figures.values())).all()
    starts = counted_starts(monkeypatch)
    interrupted(parts, config, 5, monkeypatch)
    pretrain(parts, config)
    assert len(starts) == 1
    assert lines(parts.model_dir) == lines(whole.model_dir)
    assert lines(whole.model_dir)[-1]["step"] == 6


def test_other_data_are_refused(data, whole_run):
    run = whole_config(data, whole_run, train="valid")
    with pytest.raises(InputError, match="holds a run on other data than --train_input_fp"):
        pretrain(run, WHOLE)


def test_start_that_cannot_be_made_is_not_blamed_on_a_checkpoint(data, tmp_path, monkeypatch):
    def fail(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    monkeypatch.setattr(pretraining, "start_from_scratch", fail)
    with pytest.raises(tf.errors.ResourceExhaustedError, match="out of memory"):
        pretrain(whole_config(data, tmp_path), WHOLE)


@pytest.mark.long
def test_updates_that_float16_skips_do_not_move_the_data(data, tmp_path, monkeypatch):
    """A loss scale that overflows for the first steps: the optimizer counts fewer updates than
    batches were used.
    """

    def make_optimizer(run, steps):
        return tf_keras.mixed_precision.LossScaleOptimizer(BertAdam(1e-3), initial_scale=2.0**22)

    monkeypatch.setattr(training, "make_optimizer", make_optimizer)
    config = tiny_config(**NO_DROPOUT)
    settings = dict(precision="float16", num_epochs=1, tasks=("rotation", "blank_to_color"))
    whole, parts = (run_config(data, tmp_path / name, **settings) for name in ("whole", "parts"))
    pretrain(whole, config)
    # Saves come every 3 steps; 4 is past the first of them, and skipped updates lie before it.
    interrupted(parts, config, 4, monkeypatch)
    pretrain(parts, config)
    # An overflow stands as null in the file and is read back as no number.
    assert any(np.isnan(line.get("gradient_norm", 0.0)) for line in lines(whole.model_dir))
    assert lines(parts.model_dir) == lines(whole.model_dir)
    assert lines(whole.model_dir)[-1]["step"] == 6


def test_damaged_checkpoint_is_named(data, whole_run, tmp_path):
    for path in whole_run.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path / path.name)
    newest = tmp_path / "model.ckpt-12.data-00000-of-00001"
    newest.write_bytes(newest.read_bytes()[:3000])
    with pytest.raises(
        InputError,
        match="model.ckpt-12 is damaged: its data are cut short. Older ones there: .*model.ckpt-9",
    ):
        pretrain(whole_config(data, tmp_path), WHOLE)
    with pytest.raises(InputError, match="model.ckpt-12 is damaged: its data are cut short"):
        evaluate_model(
            whole_config(data, tmp_path),
            WHOLE,
            lambda model: load_own_checkpoint(model, str(tmp_path / "model.ckpt-12")),
        )


def test_run_that_is_complete_is_left_as_it_is(data, whole_run):
    before = lines(whole_run)
    _, figures = pretrain(whole_config(data, whole_run), WHOLE)
    assert lines(whole_run) == before
    assert figures == {
        name: value for name, value in before[-1].items() if name not in ("kind", "step")
    }


@pytest.fixture(scope="module")
def plain_run(data, tmp_path_factory):
    """The reports and evaluations of a run without dropout, whose draws replicas and XLA make
    differently.
    """
    folder = tmp_path_factory.mktemp("plain")
    pretrain(run_config(data, folder), tiny_config(**NO_DROPOUT))
    return lines(folder)


def test_two_replicas_give_the_losses_of_one(data, plain_run, tmp_path):
    pretrain(
        run_config(data, tmp_path, train_batch_size=2, eval_batch_size=2, cpu_replicas=2),
        tiny_config(**NO_DROPOUT),
    )
    assert [line["step"] for line in plain_run] == [line["step"] for line in lines(tmp_path)]
    for a, b in zip(plain_run, lines(tmp_path)):
        for name in a:
            if name != "kind":
                assert a[name] == pytest.approx(b[name], rel=2e-4, abs=1e-5), (a["step"], name)


def test_xla_and_plain_agree(data, plain_run, tmp_path):
    pretrain(
        run_config(data, tmp_path, xla=True, save_steps=50),
        tiny_config(**NO_DROPOUT),
        evaluates=False,
    )
    plain, compiled = [line for line in plain_run if line["kind"] == "train"], lines(tmp_path)
    assert len(plain) == len(compiled) == 6
    for a, b in zip(plain, compiled):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)


LEARNING = dict(num_epochs=60, learning_rate=3e-3, log_steps=50, save_steps=500, eval_steps=1000)
LEARNER = tiny_config(**NO_DROPOUT, num_hidden_layers=1, hidden_size=24)


@pytest.fixture(scope="module")
def learnt(data, tmp_path_factory):
    """A run that learns, in full precision, and the figures of its last evaluation."""
    run = run_config(data, tmp_path_factory.mktemp("float32"), **LEARNING)
    _, figures = pretrain(run, LEARNER)
    return run, figures


def reports(run):
    return [line for line in lines(run.model_dir) if line["kind"] == "train"]


def test_losses_fall_and_the_checkpoint_gives_them_back(learnt):
    run, figures = learnt
    train = reports(run)
    assert train[-1]["loss"] < 0.6 * train[0]["loss"]
    again = evaluate_model(
        run, LEARNER, lambda model: load_own_checkpoint(model, find_checkpoint(run.model_dir))
    )
    for name, value in again.items():
        assert value == pytest.approx(figures[name], rel=1e-4, abs=1e-5)


def test_bfloat16_trains_like_float32(data, learnt, tmp_path):
    """Loss after a run in which it falls: an update that is lost or wrongly scaled would show."""
    run = run_config(data, tmp_path, **LEARNING, precision="bfloat16")
    pretrain(run, LEARNER, evaluates=False)
    mixed, plain = reports(run), reports(learnt[0])
    assert mixed[-1]["step"] == plain[-1]["step"] == 346
    assert mixed[-1]["loss"] == pytest.approx(plain[-1]["loss"], rel=0.05)
    assert mixed[-1]["loss"] < 0.9 * mixed[0]["loss"]


@pytest.mark.long
def test_float16_trains_like_float32(data, learnt, tmp_path, monkeypatch):
    """As above, of the first steps: CPUs have no float16, and take ten times as long."""
    run = run_config(data, tmp_path, **{**LEARNING, "save_steps": 102}, precision="float16")
    interrupted(run, LEARNER, 101, monkeypatch)  # at the save, after the report of step 100
    mixed, plain = reports(run), reports(learnt[0])
    assert [line["step"] for line in mixed] == [50, 100]
    for one, other in zip(mixed, plain):
        assert one["loss"] == pytest.approx(other["loss"], rel=0.05)
    assert mixed[1]["loss"] < 0.9 * mixed[0]["loss"]


def test_vocabulary_unlike_the_embedding():
    with pytest.raises(
        InputError, match="`vocab_size`=100 rows; the vocabulary .* has 30522 tokens"
    ):
        open_vocabulary(str(DEFAULT_VOCABULARY), tiny_config(**{**NO_DROPOUT, "vocab_size": 100}))


def test_text_longer_than_the_position_table():
    with pytest.raises(
        InputError, match="`max_position_embeddings`=11. Received: --input_sequence_length=12"
    ):
        text_length(tiny_config(**NO_DROPOUT), "pretraining", 12, None)


def test_loss_that_is_not_finite_stops_the_run(data, tmp_path):
    run = run_config(data, tmp_path, learning_rate=1e30, num_epochs=4, tasks=())
    with pytest.raises(InputError, match="The loss must stay finite. It is .* in the steps up to"):
        pretrain(run, tiny_config(**NO_DROPOUT), evaluates=False)


def test_checkpoint_of_another_model_is_refused(data, whole_run):
    with pytest.raises(InputError, match="does not fit"):
        evaluate_model(
            run_config(data, whole_run),
            tiny_config(**NO_DROPOUT, num_hidden_layers=3),
            lambda model: load_own_checkpoint(model, find_checkpoint(str(whole_run))),
        )


@pytest.mark.parametrize(
    "changes, valid",
    [
        ({"cpu_replicas": 2, "train_batch_size": 1, "eval_batch_size": 2}, 5),
        ({"train_batch_size": 1, "xla": True, "eval_batch_size": 1, "precision": "bfloat16"}, 2),
    ],
)
def test_batches_of_one(data, tmp_path, changes, valid):
    """The last batch of an evaluation, a batch of training, a whole data set of one example."""
    small_records.write(tmp_path / "valid", valid, per_shard=5)
    shutil.copytree(data / "train", tmp_path / "train")
    settings = {"num_epochs": 0.3, "eval_batch_size": 4, "log_steps": 1, "tasks": ("rotation",)}
    run = run_config(tmp_path, tmp_path / "run", **{**settings, **changes})
    config = tiny_config(**NO_DROPOUT, **FROM_SCRATCH)
    _, figures = pretrain(run, config)
    assert np.isfinite(list(figures.values())).all() and "rotation_accuracy" in figures


def test_refusals_inside_a_traced_step_reach_the_user_as_they_are(data, tmp_path, monkeypatch):
    """TensorFlow wraps what is raised while it traces a step in an error of its own."""

    def refuse(self, losses):
        raise InputError("--matching_weight must be something else")

    monkeypatch.setattr(KaleidoBert, "total", refuse)
    with pytest.raises(InputError, match="^--matching_weight must be something else$"):
        pretrain(run_config(data, tmp_path, tasks=()), tiny_config(**NO_DROPOUT), evaluates=False)


def test_refusals_inside_a_data_function_reach_the_user_as_they_are(data, tmp_path, monkeypatch):
    def refuse(self, start, epochs):
        raise InputError("record 3 of shard 1 cannot be read")
        yield

    monkeypatch.setattr(ExampleOrder, "blocks", refuse)
    with pytest.raises(InputError, match="^record 3 of shard 1 cannot be read$"):
        pretrain(run_config(data, tmp_path, tasks=()), tiny_config(**NO_DROPOUT), evaluates=False)


def test_settings_that_a_family_refuses_are_refused_before_anything_is_made(tmp_path):
    config = FashionBertConfig()
    with pytest.raises(InputError, match="--matching_weight must be 1"):
        Pretraining(config, PretrainingConfig(matching_weight=2.0), 64)
    assert not list(tmp_path.iterdir())


def test_examples_per_second_are_of_training_steps_alone(data, tmp_path, monkeypatch):
    """Neither evaluation nor saving counts, nor the first step, which compiles."""
    run = run_config(data, tmp_path, log_steps=6, save_steps=2, eval_steps=2, tasks=())
    original = training.Evaluator.evaluate

    def slow(self, steps):
        time.sleep(0.7)
        return original(self, steps)

    monkeypatch.setattr(training.Evaluator, "evaluate", slow)
    pretrain(run, tiny_config(**NO_DROPOUT))
    rates = [line["examples_per_second"] for line in lines(tmp_path, ()) if line["kind"] == "train"]
    # Two evaluations lie within the six steps of 4 examples: 24 / 1.4 = 17 at the very most.
    assert len(rates) == 2 and rates[1] > 20
