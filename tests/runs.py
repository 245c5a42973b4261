"""Short runs of tiny models, for the tests that look at what a run does."""

import dataclasses
import pathlib

import pytest

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.families import read_examples
from kaleido_tf.objectives.pretraining import Pretraining
from kaleido_tf.objectives.pretraining_config import PretrainingConfig
from kaleido_tf.text import Vocabulary
from kaleido_tf.training import run as training
from kaleido_tf.training.metrics_log import read_metrics
from kaleido_tf.training.run_config import DeviceConfig, RunConfig
from kaleido_tf.training.trainer import Trainer

CLASSES = (DeviceConfig, RunConfig, ExamplesConfig, PretrainingConfig)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that decides a run, and where its records lie."""

    train: str
    valid: str
    run: RunConfig
    examples: ExamplesConfig
    pretraining: PretrainingConfig

    @property
    def model_dir(self) -> str:
        return self.run.model_dir


def settings(data, model_dir, train="train", valid="valid", **changes) -> Settings:
    """A short run on records in the folders `train` and `valid` of `data`; `changes`: of any of the
    settings classes, by field.
    """
    values = {
        "text_length": 9,
        "train_batch_size": 4,
        "eval_batch_size": 4,
        "num_epochs": 2,
        "learning_rate": 1e-3,
        "log_steps": 2,
        "save_steps": 3,
        "eval_steps": 4,
        "seed": 5,
        **changes,
    }
    known = {f.name for config in CLASSES for f in dataclasses.fields(config)}
    assert set(values) <= known, set(values) - known
    device, run, examples, pretraining = (
        config(**{f.name: values[f.name] for f in dataclasses.fields(config) if f.name in values})
        for config in CLASSES
    )
    run = dataclasses.replace(run, model_dir=str(model_dir), device=device)
    return Settings(str(data / train), str(data / valid), run, examples, pretraining)


def examples_of(pattern, given: Settings, config):
    return read_examples(pattern, given.examples, config, given.pretraining.tasks, Vocabulary())


def pretrain(given: Settings, config, evaluates=True, load_start=None):
    """(model, figures of the last evaluation)."""
    objective = Pretraining(config, given.pretraining, given.examples.text_length, load_start)
    train_data = examples_of(given.train, given, config)
    eval_data = examples_of(given.valid, given, config) if evaluates else None
    starter = objective.starter(train_data, given.run.seed)
    return training.train(given.run, objective.build, train_data, eval_data, starter)


def interrupted(run, config, stop_at, monkeypatch):
    """A run that is interrupted once `stop_at` steps are done."""
    original = Trainer.train_loop_end

    def stop(self):
        if int(self.global_step.numpy()) >= stop_at:
            raise KeyboardInterrupt
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_loop_end", stop)
        with pytest.raises(KeyboardInterrupt):
            pretrain(run, config)


def evaluate(given: Settings, config, load):
    """The figures of a model that `load` fills."""
    objective = Pretraining(config, given.pretraining, given.examples.text_length)
    return training.evaluate(
        given.run, objective.build, examples_of(given.valid, given, config), load
    )


def lines(model_dir, drop=("examples_per_second",)):
    """The lines of a run's metrics, without what no two runs share."""
    return [
        {name: value for name, value in line.items() if name not in drop}
        for line in read_metrics(pathlib.Path(model_dir) / "metrics.jsonl")
    ]
