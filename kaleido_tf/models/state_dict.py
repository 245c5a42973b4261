"""What a family says of its release for PyTorch, whose checkpoints are state dicts."""

import dataclasses
import types
from collections.abc import Callable, Iterable, Mapping

import numpy as np


def untrained_counts(names: Iterable[str]) -> dict[str, np.int64]:
    """Key -> 0 of how often each batch norm among `names` was trained, which PyTorch stores and
    nothing reads.
    """
    means = [name for name in names if name.endswith(".running_mean")]
    return {name.replace("running_mean", "num_batches_tracked"): np.int64(0) for name in means}


def _as_they_are(names: Iterable[str]) -> dict[str, tuple[str, bool]]:
    return {name: (name, False) for name in names}


def _no_changes(shapes, model) -> dict:
    del shapes, model
    return {}


@dataclasses.dataclass(frozen=True)
class StateDict:
    """What a release for PyTorch has beside names.

    Attributes:
      heads: layer of a head -> the key that is there if the head is.
      build: (model, heads) makes the weights of the encoder and of these heads.
      repeated: model -> {key: variable}, of weights that stand there a second time.
      constants: model -> {key: array} of what stands there and nothing is computed from.
      bodies: keys by which its state dicts, and those of networks that it starts from, are known:
        each has one of them.
      whole: a key that the latter lack.
      check_start: (shapes, config, path) refuses, with an InputError, what a model cannot start
        from. Keys are as `start_names` gives them.
      changes: (shapes, model) -> {key: (shape, array -> array, what is done, in words)} for tables
        that are brought to the model's shape.
      start_names: names of weights that a model starts from -> {key of the state dict: (the name
        it has there, whether the matrix is the other way round)}; names that mean nothing stay.
      starts_from_two: whether a text encoder and an image network may start a model together.
      aliases: a key as some of its state dicts have it -> the key.
      classifiers: task of recognition -> the key whose rows are its classes. Where there is one
        head alone, it may be of another task, if the class list beside it says so.
    """

    heads: Mapping[str, str]
    build: Callable[..., None]
    repeated: Callable[..., dict]
    constants: Callable[..., dict[str, np.ndarray]]
    bodies: tuple[str, ...]
    whole: str
    check_start: Callable[..., None]
    changes: Callable[..., dict[str, tuple[tuple[int, ...], Callable, str]]] = _no_changes
    start_names: Callable[[Iterable[str]], dict[str, tuple[str, bool]]] = _as_they_are
    starts_from_two: bool = False
    aliases: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType({})
    )
    classifiers: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: types.MappingProxyType({})
    )
