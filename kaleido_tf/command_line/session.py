"""What a command has opened when its work begins: the run, the model that is meant, its vocabulary
and the form of its data.
"""

import dataclasses
import os
import pathlib

from absl import flags

from kaleido_tf.command_line.examples import Schema, open_table, open_vocabulary, text_length
from kaleido_tf.command_line.model_source import (
    ModelSource,
    model_to_train,
    model_to_use,
    with_dropout,
)
from kaleido_tf.command_line.shared_flags import asked_length, check_declared_sizes, read_run
from kaleido_tf.compat.rows.input_schema import parse_schema
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.run_config import RunConfig
from kaleido_tf.training.strategy import divide_cpu


@dataclasses.dataclass(frozen=True)
class Session:
    """What the flags mean, checked.

    Attributes: run; source: of the model; schema: of rows, None for records; text_length: S;
      vocabulary: the model's.
    """

    run: RunConfig
    source: ModelSource
    schema: Schema
    text_length: int
    vocabulary: Vocabulary

    @property
    def config(self) -> ModelConfig:
        """The model's."""
        return self.source.config

    def open_table(self, pattern: str) -> RecordTable:
        """The records at `pattern`, held against the model. Raises: InputError as
        `open_records`.
        """
        return open_table(pattern, self.config, self.vocabulary, self.text_length)

    def output_folder(self, below: str = "") -> pathlib.Path:
        """--output_dir, or the folder `below` in the model's."""
        values = flags.FLAGS
        if values.output_dir:
            return pathlib.Path(values.output_dir)
        return pathlib.Path(values.model_dir or os.path.dirname(self.source.start)) / below


def begin_training(
    purpose: str, model_config: str | None = None, dropout: float | None = None
) -> Session:
    """The session of a run that trains.

    Args: purpose: pretraining, matching, recognition or captioning; model_config: path of the
      config.json of a new model; dropout: as `with_dropout`.
    """
    values = flags.FLAGS
    records = None if values.input_schema else values.train_input_fp

    def find_model():
        source = model_to_train(
            values.pretrain_model_name_or_path,
            model_config,
            values.model_dir,
            records,
            values.input_sequence_length,
            values.image_encoder_weights,
        )
        return with_dropout(source, dropout)

    return _open(purpose, find_model)


def begin_use(purpose: str, model_config: str | None = None) -> Session:
    """The session of a command that uses a trained model: --predict_checkpoint_path, or the latest
    in --model_dir. Args: model_config: that the command was given; it is told that it is not used.
    """
    values = flags.FLAGS
    checkpoint = values.predict_checkpoint_path or values.model_dir
    if not checkpoint:
        raise InputError(f"--mode={values.mode} needs --predict_checkpoint_path or --model_dir")
    if model_config:
        print(
            f"--model_config={model_config} is not used: it is for training, and a trained model"
            " has its config.json beside it"
        )
    return _open(purpose, lambda: model_to_use(checkpoint, values.pretrain_model_name_or_path))


def _open(purpose: str, find_model) -> Session:
    run = read_run()
    # Before anything is computed: later TensorFlow refuses.
    divide_cpu(run.device)
    written = flags.FLAGS.input_schema
    schema = parse_schema(written) if written else None
    source = find_model()
    check_declared_sizes(source.config)
    length = text_length(source.config, purpose, asked_length(), schema)
    vocabulary = open_vocabulary(source.vocabulary, source.config)
    return Session(run, source, schema, length, vocabulary)


def print_figures(title: str, figures: dict[str, float]) -> None:
    """The figures of an evaluation in one line; nothing where there are none."""
    if figures:
        print(f"{title}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
