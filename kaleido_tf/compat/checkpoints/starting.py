"""A model that is to be trained, filled with what it starts from."""

import dataclasses
import functools

import numpy as np

from kaleido_tf.compat.checkpoints.checkpoint_names import state_dict_of
from kaleido_tf.compat.checkpoints.filling import Weights, fill, listed
from kaleido_tf.compat.checkpoints.weights import (
    TORCH,
    kind_of,
    load_weights,
    open_weights,
    report_unused,
)
from kaleido_tf.errors import InputError
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.models.cross_modal import CrossModalBert


def load_start(model: CrossModalBert, *paths: str) -> None:
    """Fills a model that is to be trained; from a TF1 checkpoint (Kaleido-BERT, FashionBERT or
    Google's BERT), a text encoder, or, for a family with state dicts, from one of these what it
    has, with a report of what begins new.

    Args: paths: one, or for a family that starts from two (`StateDict.starts_from_two`) a text
      encoder and an image network.
    Raises: InputError if a variable has another shape, if there is nothing of the encoder, or if
      two hold the same part.
    """
    kinds, release = [kind_of(path) for path in paths], state_dict_of(model.config.model_type)
    if "own" in kinds or (release is None and kinds[0] not in ("tf1", "hf")):
        load_weights(model, *paths)
        return
    if release is None:
        weights = open_weights(*paths)
    else:
        weights = open_start(model.config, *paths)
        weights = _changed(weights, release.changes(weights.shapes, model))
    report_unused(weights, fill(model, weights, partly=True))


def open_start(config: ModelConfig, *paths: str) -> Weights:
    """What a new model of `config`, of a family with state dicts, starts from, by the keys of its
    state dict. Raises: InputError as `StateDict.check_start`, and if two files hold the same part.
    """
    release = state_dict_of(config.model_type)
    parts = [_renamed(open_weights(path), release.start_names) for path in paths]
    weights = functools.reduce(_joined, parts)
    release.check_start(weights.shapes, config, weights.path)
    return weights


def _renamed(weights: Weights, start_names) -> Weights:
    def read(name, turned):
        array = weights.tensors[name]()
        return array.T if turned else array

    names = start_names(weights.shapes)
    shapes = {
        key: weights.shapes[name][:: -1 if back else 1] for key, (name, back) in names.items()
    }
    tensors = {key: functools.partial(read, *source) for key, source in names.items()}
    return dataclasses.replace(weights, tensors=tensors, shapes=shapes)


def _joined(one: Weights, other: Weights) -> Weights:
    both = sorted(set(one.shapes) & set(other.shapes))
    if both:
        raise InputError(
            "A text encoder and an image network, which have nothing in common, may start a model"
            f" together. Both of {one.path} and {other.path} hold {listed(both)}"
        )
    return Weights(
        path=f"{one.path} and {other.path}",
        kind=TORCH,
        tensors={**one.tensors, **other.tensors},
        shapes={**one.shapes, **other.shapes},
        num_bytes={},
        step=0,
        ignored=one.ignored + other.ignored,
        unused=(*one.unused, *other.unused),
    )


def _changed(weights: Weights, changes: dict[str, tuple]) -> Weights:
    """Weights, some of which are brought to another shape; says which."""
    tensors, shapes = dict(weights.tensors), dict(weights.shapes)
    for name, (shape, change, what) in changes.items():
        shapes[name] = shape
        tensors[name] = functools.partial(_after, tensors[name], change)
        print(f"start: {what}")
    return dataclasses.replace(weights, tensors=tensors, shapes=shapes)


def _after(read, change) -> np.ndarray:
    return change(read())
