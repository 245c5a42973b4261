"""Weights by name, whatever file holds them, into the variables of a model."""

import dataclasses
from collections.abc import Callable

import numpy as np

from kaleido_tf.compat.checkpoints.checkpoint_names import (
    constant_arrays,
    named_variables,
    repeated_variables,
    state_dict_of,
)
from kaleido_tf.errors import InputError
from kaleido_tf.models.cross_modal import CrossModalBert
from kaleido_tf.objectives.class_list import ClassList
from kaleido_tf.objectives.outfit_description import OutfitDescription

_LISTED = 5
"""Names that a message shows before it only counts."""


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights to be taken out one at a time.

    Attributes:
      path: of the file or checkpoint. kind: one of `KINDS`, or `TORCH`.
      tensors: name -> function that gives the array. shapes: name -> tuple. num_bytes: name -> int.
      step: how long they were trained.
      tasks: of pre-training, whose heads are there (None: not said, which means all).
      heads: of a family with state dicts, the layers of all heads that are there; None: of others.
      ignored: number of optimizer variables beside them. unused: names of what else lay there.
      taken: what of a PyTorch file they are, in words.
      vocabulary_digest: of the vocabulary they were trained with; None: not said.
      head: what a head of recognition among them tells apart; None: there is none.
      outfits: of a model that completes outfits; None: of others.
    """

    path: str
    kind: str
    tensors: dict[str, Callable[[], np.ndarray]]
    shapes: dict[str, tuple[int, ...]]
    num_bytes: dict[str, int]
    step: int
    tasks: tuple[str, ...] | None = None
    heads: tuple[str, ...] | None = None
    ignored: int = 0
    unused: tuple[str, ...] = ()
    taken: str = ""
    vocabulary_digest: str | None = None
    head: ClassList | None = None
    outfits: OutfitDescription | None = None


def fill(model: CrossModalBert, weights: Weights, partly: bool = False) -> tuple[str, ...]:
    """Gives `model` the weights, one after the other; returns the names that it has no use for.

    Args: partly: what is not there keeps its first weights, and is reported. As in the original,
      names are then compared below their first scope (`…_pre_trained_model/`), so that one family
      can start from another, or from Google's BERT.
    Raises: InputError, before anything is changed, that lists what is missing or of another shape.
    """
    check_built(model)
    entries = named_variables(model)
    if partly:
        below = {below_scope(name): name for name in weights.shapes}
        theirs = {name: below.get(below_scope(name)) for name in entries}
    else:
        theirs = {name: name if name in weights.shapes else None for name in entries}
    missing = [name for name, their in theirs.items() if their is None]
    known = state_dict_of(model.config.model_type) is not None  # and `check_start` has looked
    if partly and not known and not any(n and "/encoder/" in n for n in theirs.values()):
        raise InputError(
            "A start needs the encoder's weights under BERT's names (bert/encoder/layer_0/...)."
            f" {weights.path} holds none of them"
        )
    pairs = {name: their for name, their in theirs.items() if their is not None}
    _check_fit(weights, entries, pairs, [] if partly else missing)
    repeated = repeated_variables(model)
    _check_repeated(weights, entries, repeated)
    for name, their in pairs.items():
        entries[name].variable.assign(entries[name].to_ours(weights.tensors[their]()))
    if partly:
        print(f"start: {len(pairs)} of {len(entries)} variables from {weights.path}")
    if partly and missing:
        new = sorted(below_scope(name) for name in missing)
        print(f"start: not in the checkpoint, so with random weights: {listed(new)}")
    known = {*pairs.values(), *repeated, *constant_arrays(model)}
    return tuple(sorted(set(weights.shapes) - known))


def _check_repeated(weights: Weights, entries: dict, repeated: dict) -> None:
    """Raises: InputError where weights stand there twice and differ."""
    first = {id(entry.variable): name for name, entry in entries.items()}
    for second, entry in repeated.items():
        name = first[id(entry.variable)]
        if not {name, second} <= set(weights.tensors):
            continue
        keys = ((name, entries[name]), (second, entry))
        if not np.array_equal(*(kept.to_ours(weights.tensors[key]()) for key, kept in keys)):
            raise InputError(
                f"{weights.path}: {second} must hold the same numbers as {name}, which is used for"
                " both. Received: others"
            )


def check_built(model: CrossModalBert) -> None:
    """A model without a functional model in use has next to no weights: filling it would look like
    success.
    """
    if not getattr(getattr(model, "backbone", model), "is_built", True):
        raise RuntimeError("Use one of the model's functional models before its weights are filled")


def _check_fit(weights: Weights, entries: dict, pairs: dict[str, str], missing: list[str]) -> None:
    wrong = [
        f"{name} needs {list(entries[name].original_shape)}, found {list(weights.shapes[their])}"
        for name, their in pairs.items()
        if weights.shapes[their] != entries[name].original_shape
    ]
    if missing or wrong:
        raise InputError(
            f"{weights.path} does not fit the model of its config.json. Not found:"
            f" {_some(missing)}. Of another shape: {_some(wrong)}. Not used:"
            f" {_some(sorted(set(weights.shapes) - set(pairs.values())))}"
        )


def below_scope(name: str) -> str:
    """A name without the scope of its family's release."""
    first, _, rest = name.partition("/")
    return rest if "pre_trained_model" in first else name


def listed(names: list[str]) -> str:
    """Names for a message, the first of them where they are many."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _some(names: list[str]) -> str:
    return f"{len(names)}" + (f" ({listed(names)})" if names else "")
