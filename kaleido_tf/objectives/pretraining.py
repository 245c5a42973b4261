"""Pre-training of a family's model: what `run.py` needs to know of it."""

from collections.abc import Callable

import tensorflow as tf

from kaleido_tf.data.pipeline import RecordExamples
from kaleido_tf.errors import InputError
from kaleido_tf.families import build_model
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.objectives.contrastive_start import start_from_nothing
from kaleido_tf.training import run as training
from kaleido_tf.training.run_config import RunConfig

MEASURED_IMAGES = 1000
"""Images whose features are looked at for the normalisation of a new model."""


def pretrain(
    run: RunConfig,
    config: ModelConfig,
    train_data: training.Examples,
    eval_data: training.Examples | None = None,
    initialize: Callable[[tf.Module], None] | None = None,
) -> tuple[tf.Module, dict[str, float]]:
    """Pre-trains (and evaluates) as `run` says; see `run.train`.

    Args: initialize: fills a new model's weights, for a start from a checkpoint; None: they begin
      from nothing.
    """
    if initialize is None and run.contrastive_epochs and not isinstance(train_data, RecordExamples):
        raise InputError(
            "--contrastive_epochs needs records (data_prep): rows do not say which texts and images"
            " differ"
        )

    def start(model, strategy):
        if initialize is not None:
            if run.contrastive_epochs:
                print(
                    "--contrastive_epochs is for new models: this one starts from its checkpoint as"
                    " it is"
                )
            return initialize(model)
        if model.normalises_features:
            model.measure_features(train_data.sample_features(MEASURED_IMAGES))
        if run.contrastive_epochs:
            start_from_nothing(model, train_data.table, strategy, run.contrastive_epochs, run.seed)
        return None

    return training.train(
        run, lambda: build_model(config, run.tasks, run.text_length), train_data, eval_data, start
    )


def evaluate_model(
    run: RunConfig, config: ModelConfig, data: training.Examples, load: Callable[[tf.Module], None]
) -> dict[str, float]:
    """Losses and accuracies of a model, filled by `load`; same draws as during training."""
    return training.evaluate(
        run, lambda: build_model(config, run.tasks, run.text_length), data, load
    )
