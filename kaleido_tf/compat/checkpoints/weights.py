"""The weights of a model by name, whatever file they lie in, to be taken out one at a time.

The names are those of the original's checkpoints; weights that the original does not have are
called `named_layers/...`, after their place in our models.
"""

import dataclasses
import math
import os
import re
from collections.abc import Callable

import numpy as np

from kaleido_tf.compat.checkpoints.checkpoint_names import OriginalVariable, original_variables
from kaleido_tf.compat.checkpoints.tf1_checkpoint import Tf1Checkpoint, is_optimizer_slot
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, build_model
from kaleido_tf.files.input_files import visible_files
from kaleido_tf.files.safetensors_file import SafetensorsFile
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.models.cross_modal import CrossModalBert
from kaleido_tf.training.checkpoints import (
    find_checkpoint,
    is_own_checkpoint,
    load_own_checkpoint,
    open_checkpoint,
    tasks_of_checkpoint,
)

KINDS = ("own", "tf1", "safetensors")
SAFETENSORS = ".safetensors"
OWN_PREFIX = "named_layers/"
STEP = "global_step"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


@dataclasses.dataclass(frozen=True)
class Weights:
    """`tensors` {name: function that gives the array}; `shapes` {name: tuple}; `num_bytes` {name:
    int}; `step`: how long they were trained; `tasks` whose heads are there (None: not said, which
    means all); `ignored`: number of optimizer variables beside them; `unused`: names of what else
    lay there.
    """

    tensors: dict[str, Callable[[], np.ndarray]]
    shapes: dict[str, tuple[int, ...]]
    num_bytes: dict[str, int]
    step: int
    tasks: tuple[str, ...] | None = None
    ignored: int = 0
    unused: tuple[str, ...] = ()


def find_weights(path: str) -> str | None:
    """The prefix of a checkpoint or the path of a safetensors file: `path` itself, or in the folder
    `path`; None if there is none. Hidden files are none.

    Raises: InputError naming all, if the folder holds more than one.
    """
    if path.endswith(SAFETENSORS) and os.path.isfile(path):
        return path
    prefix = find_checkpoint(path)
    files = visible_files(path, SAFETENSORS) if os.path.isdir(path) else []
    candidates = ([prefix] if prefix else []) + files
    if len(candidates) > 1:
        raise InputError(
            "One checkpoint or safetensors file is needed: name it, or give a folder with one."
            f" Found at {path}: {', '.join(candidates)}"
        )
    return candidates[0] if candidates else None


def recognise(path: str) -> tuple[str, str]:
    """(kind, file or prefix) of the weights at `path`, see `find_weights`.

    Raises: InputError if there is none, or more than one.
    """
    weights = find_weights(path)
    if weights is None:
        raise InputError(
            "--input must be a checkpoint prefix (…/model.ckpt-N), a .safetensors file, or a"
            f" folder with one of them. Found at {path}: nothing"
        )
    if weights.endswith(SAFETENSORS):
        return "safetensors", weights
    return ("own" if is_own_checkpoint(weights) else "tf1"), weights


def open_weights(kind: str, path: str, config: ModelConfig | None = None) -> Weights:
    """The weights of what `recognise` found. `config` is needed for `own`, whose weights are known
    by their place in a model.

    Raises: InputError for damaged files.
    """
    return {"own": _open_own, "tf1": _open_tf1, "safetensors": _open_safetensors}[kind](
        path, config
    )


def _open_tf1(prefix, _):
    checkpoint = Tf1Checkpoint(prefix)
    names = [name for name in checkpoint.shapes if not is_optimizer_slot(name)]
    if STEP in checkpoint.shapes:
        step = int(checkpoint.read(STEP))
    else:
        match = re.search(r"-(\d+)$", prefix)
        step = int(match[1]) if match else 0
    ignored = len(checkpoint.shapes) - len(names) - (STEP in checkpoint.shapes)
    sizes = {name: checkpoint.dtypes[name].size for name in names}
    return _weights(checkpoint, names, sizes, step, ignored=ignored)


def _open_safetensors(path, _):
    file = SafetensorsFile(path)
    names = [name for name in file.shapes if not is_optimizer_slot(name)]
    step = file.metadata.get(STEP, "0")
    if not re.fullmatch(r"\d+", step):
        raise InputError(
            f"{path}: the metadata's `{STEP}` must be a whole number. Received: {step!r}"
        )
    tasks = file.metadata.get("tasks")
    sizes = {name: np.dtype(file.dtypes[name]).itemsize for name in names}
    tasks = None if tasks is None else tuple(task for task in tasks.split(",") if task)
    return _weights(
        file, names, sizes, int(step), tasks=tasks, ignored=len(file.shapes) - len(names)
    )


def _weights(file, names, sizes, step, **others):
    return Weights(
        tensors={name: lambda name=name: file.read(name) for name in names},
        shapes={name: file.shapes[name] for name in names},
        num_bytes={name: math.prod(file.shapes[name]) * sizes[name] for name in names},
        step=step,
        **others,
    )


def _open_own(prefix, config):
    reader = open_checkpoint(prefix)
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith(_VALUE)]
    step = int(reader.get_tensor("step" + _VALUE)) if "step" + _VALUE in names else 0
    model = model_for_weights(
        config, tasks_of_checkpoint(prefix, FAMILIES[config.model_type].model.TASKS)
    )
    load_own_checkpoint(model, prefix)
    used = (
        "step" + _VALUE,
        "save_counter" + _VALUE,
        *(f"model/{OWN_PREFIX}{layer}/" for layer in model.named_layers),
    )
    left = [name for name in names if not name.startswith(used)]
    optimizer = [name for name in left if name.startswith("optimizer/")]
    unused = sorted(name.removesuffix(_VALUE) for name in left if name not in optimizer)
    return weights_of(model, step, ignored=len(optimizer), unused=tuple(unused))


def model_for_weights(config: ModelConfig, tasks: tuple[str, ...] | None) -> CrossModalBert:
    """A model to hold weights; they do not depend on the length of its texts, which only has to be
    possible.
    """
    return build_model(config, tasks, min(config.text_seq_len, config.max_position_embeddings))


def weights_of(model: CrossModalBert, step: int, **others) -> Weights:
    """The weights that a model has now."""
    entries = named_variables(model)
    return Weights(
        tensors={
            name: lambda entry=entry: entry.to_original(entry.variable.numpy())
            for name, entry in entries.items()
        },
        shapes={name: entry.original_shape for name, entry in entries.items()},
        num_bytes={
            name: math.prod(entry.original_shape) * entry.variable.dtype.size
            for name, entry in entries.items()
        },
        step=step,
        tasks=model.tasks,
        **others,
    )


def named_variables(model: CrossModalBert) -> dict[str, OriginalVariable]:
    """Every variable of `model`: by the original's name, or by our own where it has none."""
    entries = original_variables(model)
    known = {id(entry.variable) for entry in entries.values()}
    for layer_name, layer in model.named_layers.items():
        for weight in layer.weights:
            if id(weight) not in known:
                known.add(id(weight))
                entries[f"{OWN_PREFIX}{layer_name}/{weight.name.split(':')[0].split('/')[-1]}"] = (
                    OriginalVariable(weight)
                )
    return entries


def fill(model: CrossModalBert, weights: Weights, source: str) -> tuple[str, ...]:
    """Gives `model` the weights, one after the other; returns the names that it has no use for.

    Raises: InputError, before anything is changed, that lists what is missing or of another shape.
      `source` is named in it.
    """
    wanted = named_variables(model)
    missing = [name for name in wanted if name not in weights.shapes]
    wrong = [
        f"{name} needs {list(entry.original_shape)}, found {list(weights.shapes[name])}"
        for name, entry in wanted.items()
        if name in weights.shapes and weights.shapes[name] != entry.original_shape
    ]
    if missing or wrong:
        raise InputError(
            f"{source} does not fit its config.json. Not found: {_some(missing)}. Of another shape:"
            f" {_some(wrong)}. Not used: {_some(sorted(set(weights.shapes) - set(wanted)))}"
        )
    for name, entry in wanted.items():
        entry.variable.assign(entry.to_ours(weights.tensors[name]()))
    return tuple(sorted(set(weights.shapes) - set(wanted)))


def _some(names: list[str]) -> str:
    return f"{len(names)}" + (
        f" ({'; '.join(names[:5])}{'; …' if len(names) > 5 else ''})" if names else ""
    )
