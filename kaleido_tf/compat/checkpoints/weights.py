"""The weights that lie at a path, by name, whatever file holds them, and filling a model with them.

The names are those of the original's checkpoints, which for a text encoder in Hugging Face's layout
are Google's; weights that the original does not have are called `named_layers/...`, after their
place in our models.
"""

import dataclasses
import math
import os
import re
from collections.abc import Callable

import numpy as np

from kaleido_tf.compat.checkpoints.checkpoint_names import OWN_PREFIX, named_variables
from kaleido_tf.compat.checkpoints.fine_tuned import OWN_HEAD, classifier_for, head_of
from kaleido_tf.compat.checkpoints.text_encoder import TextEncoder, is_text_encoder
from kaleido_tf.compat.checkpoints.tf1_checkpoint import Tf1Checkpoint, is_optimizer_slot
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, build_model
from kaleido_tf.files.input_files import visible_files
from kaleido_tf.files.safetensors_file import SafetensorsFile
from kaleido_tf.files.sharded_safetensors import INDEX
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.models.cross_modal import CrossModalBert
from kaleido_tf.objectives.class_list import ClassList
from kaleido_tf.training.checkpoints import (
    find_checkpoint,
    is_own_checkpoint,
    load_own_checkpoint,
    open_checkpoint,
    tasks_of_checkpoint,
)

KINDS = ("own", "tf1", "safetensors", "hf")
SAFETENSORS = ".safetensors"
STEP = "global_step"
VOCABULARY = "vocabulary_digest"
_SHARD = re.compile(r"-\d+-of-\d+\.safetensors$")
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_LISTED = 5
"""Names that a message shows before it only counts."""


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights to be taken out one at a time.

    Attributes:
      path: of the file or checkpoint. kind: one of `KINDS`.
      tensors: name -> function that gives the array. shapes: name -> tuple. num_bytes: name -> int.
      step: how long they were trained.
      tasks: of pre-training, whose heads are there (None: not said, which means all).
      ignored: number of optimizer variables beside them. unused: names of what else lay there.
      vocabulary_digest: of the vocabulary they were trained with; None: not said.
      head: what a head of recognition among them tells apart; None: there is none.
    """

    path: str
    kind: str
    tensors: dict[str, Callable[[], np.ndarray]]
    shapes: dict[str, tuple[int, ...]]
    num_bytes: dict[str, int]
    step: int
    tasks: tuple[str, ...] | None = None
    ignored: int = 0
    unused: tuple[str, ...] = ()
    vocabulary_digest: str | None = None
    head: ClassList | None = None


def find_weights(path: str | os.PathLike) -> str | None:
    """The prefix of a checkpoint or the path of a safetensors file, or of the index of several:
    `path` itself, or in the folder `path`; None if there is none. Hidden files are none.

    Raises: InputError naming all, if the folder holds more than one and its `checkpoint` does not
      say which is the latest, or a checkpoint beside a safetensors file.
    """
    path = str(path)
    if path.endswith((SAFETENSORS, INDEX)) and os.path.isfile(path):
        return path
    prefix = find_checkpoint(path)
    files = _safetensors_in(path) if os.path.isdir(path) else []
    candidates = ([prefix] if prefix else []) + files
    if len(candidates) > 1:
        raise InputError(
            "One checkpoint or safetensors file is needed: name it, or give a folder with one."
            f" Found at {path}: {', '.join(candidates)}"
        )
    return candidates[0] if candidates else None


def _safetensors_in(folder: str) -> list[str]:
    """Files and indexes of a folder, without the shards of an index."""
    indexes, files = visible_files(folder, INDEX), visible_files(folder, SAFETENSORS)
    return indexes + [file for file in files if not (indexes and _SHARD.search(file))]


def kind_of(weights: str) -> str:
    """Which of `KINDS` lies at what `find_weights` gave."""
    if weights.endswith((SAFETENSORS, INDEX)):
        return "hf" if is_text_encoder(weights) else "safetensors"
    return "own" if is_own_checkpoint(weights) else "tf1"


def open_weights(path: str, config: ModelConfig | None = None) -> Weights:
    """The weights at what `find_weights` gave. `config` is needed for checkpoints of this project,
    whose weights are known by their place in a model.

    Raises: InputError for damaged files.
    """
    kind = kind_of(path)
    openers = {
        "own": _open_own,
        "tf1": _open_tf1,
        "safetensors": _open_safetensors,
        "hf": _open_text_encoder,
    }
    return openers[kind](path, config)


def load_weights(model: CrossModalBert, path: str) -> None:
    """Fills all of `model` that is built from what `find_weights` gave; what else lies there is
    reported.

    Raises: InputError if anything is missing.
    """
    _check_built(model)
    if kind_of(path) == "own":
        load_own_checkpoint(model, path)
    else:
        weights = open_weights(path)
        _report_unused(weights, fill(model, weights))


def load_start(model: CrossModalBert, path: str) -> None:
    """Fills a model that is to be trained; from a TF1 checkpoint (Kaleido-BERT, FashionBERT or
    Google's BERT) or a text encoder what it has, with a report of what begins new.

    Raises: InputError if a variable has another shape, or if there is nothing of the encoder.
    """
    if kind_of(path) in ("tf1", "hf"):
        weights = open_weights(path)
        _report_unused(weights, fill(model, weights, partly=True))
    else:
        load_weights(model, path)


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
    head = head_of(prefix, checkpoint.shapes)
    return _weights("tf1", checkpoint, names, sizes, step, ignored=ignored, head=head)


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
        "safetensors",
        file,
        names,
        sizes,
        int(step),
        tasks=tasks,
        ignored=len(file.shapes) - len(names),
        vocabulary_digest=file.metadata.get(VOCABULARY),
        head=head_of(path, file.shapes),
    )


def _open_text_encoder(path, _):
    encoder = TextEncoder(path)
    sizes = dict.fromkeys(encoder.shapes, np.dtype(np.float32).itemsize)
    return _weights("hf", encoder, list(encoder.shapes), sizes, 0, unused=encoder.unused)


def _weights(kind, file, names, sizes, step, **others):
    return Weights(
        path=file.path,
        kind=kind,
        tensors={name: lambda name=name: file.read(name) for name in names},
        shapes={name: file.shapes[name] for name in names},
        num_bytes={name: math.prod(file.shapes[name]) * sizes[name] for name in names},
        step=step,
        **others,
    )


def _open_own(prefix, config):
    if config is None:
        raise InputError(
            f"{prefix} needs the config.json of its model beside it, or --input_config"
        )
    reader = open_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    names = [name for name in shapes if name.endswith(_VALUE)]
    step = int(reader.get_tensor("step" + _VALUE)) if "step" + _VALUE in names else 0
    head = head_of(prefix, shapes)
    tasks = tasks_of_checkpoint(prefix, FAMILIES[config.model_type].model.TASKS)
    model = classifier_for(config, head) if head else model_for_weights(config, tasks)
    load_own_checkpoint(model, prefix)
    used = (
        "step" + _VALUE,
        "save_counter" + _VALUE,
        "data" + _VALUE,
        OWN_HEAD,
        *(f"model/{OWN_PREFIX}{layer}/" for layer in model.named_layers),
    )
    left = [name for name in names if not name.startswith(used)]
    optimizer = [name for name in left if name.startswith("optimizer/")]
    unused = sorted(name.removesuffix(_VALUE) for name in left if name not in optimizer)
    return weights_of(model, prefix, step, ignored=len(optimizer), unused=tuple(unused), head=head)


def model_for_weights(config: ModelConfig, tasks: tuple[str, ...] | None) -> CrossModalBert:
    """A model to hold weights; they do not depend on the length of its texts, which only has to be
    possible.
    """
    model = build_model(config, tasks, min(config.text_seq_len, config.max_position_embeddings))
    _ = model.trainable_variables  # makes them
    return model


def weights_of(model: CrossModalBert, path: str, step: int, **others) -> Weights:
    """The weights that a model has now."""
    entries = named_variables(model)
    return Weights(
        path=path,
        kind="own",
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
        tasks=getattr(model, "backbone", model).tasks,
        **others,
    )


def fill(model: CrossModalBert, weights: Weights, partly: bool = False) -> tuple[str, ...]:
    """Gives `model` the weights, one after the other; returns the names that it has no use for.

    Args: partly: what is not there keeps its first weights, and is reported. As in the original,
      names are then compared below their first scope (`…_pre_trained_model/`), so that one family
      can start from another, or from Google's BERT.
    Raises: InputError, before anything is changed, that lists what is missing or of another shape.
    """
    _check_built(model)
    entries = named_variables(model)
    if partly:
        below = {below_scope(name): name for name in weights.shapes}
        theirs = {name: below.get(below_scope(name)) for name in entries}
    else:
        theirs = {name: name if name in weights.shapes else None for name in entries}
    missing = [name for name, their in theirs.items() if their is None]
    if partly and not any(their and "/encoder/" in their for their in theirs.values()):
        raise InputError(
            "A start needs the encoder's weights under BERT's names (bert/encoder/layer_0/...)."
            f" {weights.path} holds none of them"
        )
    pairs = {name: their for name, their in theirs.items() if their is not None}
    _check_fit(weights, entries, pairs, [] if partly else missing)
    for name, their in pairs.items():
        entries[name].variable.assign(entries[name].to_ours(weights.tensors[their]()))
    if partly:
        print(f"start: {len(pairs)} of {len(entries)} variables from {weights.path}")
    if partly and missing:
        new = sorted(below_scope(name) for name in missing)
        print(f"start: not in the checkpoint, so with random weights: {_listed(new)}")
    return tuple(sorted(set(weights.shapes) - set(pairs.values())))


def _check_built(model: CrossModalBert) -> None:
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


def _report_unused(weights: Weights, unused: tuple[str, ...]) -> None:
    unused = (*weights.unused, *unused)
    if unused:
        print(f"{weights.path}: not used: {_listed(list(unused))}")
    if weights.ignored:
        print(f"{weights.path}: {weights.ignored} variables of its optimizer are left alone")


def below_scope(name: str) -> str:
    """A name without the scope of its family's release."""
    first, _, rest = name.partition("/")
    return rest if "pre_trained_model" in first else name


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _some(names: list[str]) -> str:
    return f"{len(names)}" + (f" ({_listed(names)})" if names else "")
