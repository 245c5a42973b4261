"""The model of a retrieval run: built, begun, and used to rank."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from kaleido_tf.command_line.examples import PairsToScore
from kaleido_tf.command_line.session import Session
from kaleido_tf.compat.checkpoints.checkpoint_names import named_variables
from kaleido_tf.compat.checkpoints.starting import load_start
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.photo_views import mean_over_views
from kaleido_tf.evaluation.scoring import score_batches
from kaleido_tf.families import build_model
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.objectives.comparison_folds import compare_by_folds, write_folds
from kaleido_tf.objectives.comparison_start import train_comparison
from kaleido_tf.objectives.list_config import ListConfig
from kaleido_tf.objectives.list_examples import ListExamples
from kaleido_tf.objectives.list_matching import ListMatching, fitted_score_weight
from kaleido_tf.training.strategy import make_strategy

FITTED_LISTS = 500
"""Lists that the first weight of the comparison is fitted to."""


def reading_config(config: ModelConfig) -> ModelConfig:
    """The config of the model that is trained, whose encoder reads its comparison.

    Raises: InputError for a model that has none.
    """
    if not getattr(config, "comparison_size", 0):
        raise InputError(
            "--task=retrieval needs a model that compares words with patches: a `comparison_size`"
            " above 0 in its config.json (run_configs/ranking_kaleido_bert.json has one)."
            f" Received: a model of type {config.model_type} without"
        )
    return dataclasses.replace(config, reads_comparison=True)


def begin(
    model: ListMatching,
    strategy: tf.distribute.Strategy,
    session: Session,
    examples: ListExamples,
    settings: ListConfig,
    folder: pathlib.Path,
) -> None:
    """Gives a new model the weights it begins with, and leaves its folds in `folder`."""
    backbone, table, seed = model.backbone, examples.table, session.run.seed
    backbone.prepare(examples)
    if session.source.start is not None:
        _take_start(backbone, session)
    if not backbone.has_compared:
        train_comparison(backbone, table, strategy, settings.comparison_epochs, seed)
    comparison = backbone.named_layers["comparison"]
    comparison.measure_fits()
    folds = compare_by_folds(backbone, table, strategy, settings.comparison_epochs, seed)
    write_folds(folder, folds)
    lists = np.linspace(0, len(examples) - 1, FITTED_LISTS).astype(int)
    scores = np.stack([examples.list_at(int(place))["comparison_score"] for place in lists])
    reader = backbone.named_layers["comparison_reader"]
    if not session.config.reads_comparison:  # else the start's is the one its encoder learnt with
        reader.score_weight.assign(fitted_score_weight(scores))
    found = 100 * np.mean(scores.argmax(axis=1) == 0)
    print(
        f"lists of {scores.shape[1]}: the comparisons rank the right one first in {found:.1f}% of"
        f" {len(scores)} that they had not seen; weight of their score:"
        f" {reader.score_weight.numpy():.3f}",
        flush=True,
    )


def _take_start(backbone, session: Session) -> None:
    """The weights of the start; what reads the comparison begins new where the start has none."""
    if session.config.reads_comparison:
        load_start(backbone, session.source.start)
        return
    there = build_model(session.config, (), session.text_length)
    _ = there.pretrainer, there.matcher
    load_start(there, session.source.start)
    ours = named_variables(backbone)
    for name, entry in named_variables(there).items():
        ours[name].variable.assign(entry.variable)


def compared(model, batch, training=False) -> tf.Tensor:
    """[B, 2] logits (0, score) of a batch of the matcher's inputs by the comparison alone."""
    del training
    score = model.named_layers["comparison"](
        batch["input_ids"],
        batch["input_mask"],
        model.compared_features(batch),
        batch["comparison_hubness"],
    )
    score = score[0] if model.reads_comparison else score
    return tf.stack([tf.zeros_like(score), score], axis=1)


class CandidateScores:
    """Scores the pairs of candidate lists with a model, and with its comparison alone.

    Args: batch_size: of a replica.
    """

    def __init__(self, model, pairs: PairsToScore, session: Session, batch_size: int):
        self._model, self._pairs = model, pairs
        self._strategy = make_strategy(session.run.device)
        self._batches = pairs.batches(model, batch_size * self._strategy.num_replicas_in_sync)

    def of_model(self) -> np.ndarray:
        """[N, 2] logits."""
        return self._scores(self._model.matcher)

    def of_comparison(self) -> np.ndarray:
        """[N, 2] logits."""
        return self._scores(lambda batch, training: compared(self._model, batch))

    def _scores(self, matcher) -> np.ndarray:
        count = int(self._pairs.views.sum())
        logits = score_batches(matcher, self._strategy, self._batches, count)
        return mean_over_views(logits, self._pairs.views)
