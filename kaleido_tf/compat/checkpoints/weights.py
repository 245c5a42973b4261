"""The weights that lie at a path, by name, whatever file holds them, and a model with them.

The names are those of the original's checkpoints (MVLT: of PyTorch's modules), which for a text
encoder in Hugging Face's layout are Google's; weights that the original does not have are called
`named_layers/...`, after their place in our models.
"""

import math
import os
import re

import numpy as np

from kaleido_tf.compat.checkpoints.checkpoint_names import (
    OWN_PREFIX,
    constant_arrays,
    named_variables,
    repeated_variables,
    state_dict_of,
)
from kaleido_tf.compat.checkpoints.filling import Weights, check_built, fill, listed
from kaleido_tf.compat.checkpoints.fine_tuned import (
    OWN_HEAD,
    classifier_for,
    head_of,
    outfit_model_for,
    outfits_of,
)
from kaleido_tf.compat.checkpoints.state_dict import (
    SAFETENSORS,
    StateDictFile,
    has_state_dict,
    is_torch_file,
    type_of,
)
from kaleido_tf.compat.checkpoints.text_encoder import TextEncoder, is_text_encoder
from kaleido_tf.compat.checkpoints.tf1_checkpoint import Tf1Checkpoint, is_optimizer_slot
from kaleido_tf.errors import InputError
from kaleido_tf.families import build_model, layers_of_tasks
from kaleido_tf.files.input_files import visible_files
from kaleido_tf.files.safetensors_file import SafetensorsFile
from kaleido_tf.files.sharded_safetensors import INDEX
from kaleido_tf.files.torch_file import ENDINGS, WHOLE_FILE
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.models.cross_modal import CrossModalBert
from kaleido_tf.objectives.class_list import ClassList
from kaleido_tf.objectives.outfit_description import OutfitDescription
from kaleido_tf.training.checkpoints import (
    find_checkpoint,
    is_own_checkpoint,
    load_own_checkpoint,
    open_checkpoint,
    tasks_of_checkpoint,
)

KINDS = ("own", "tf1", "safetensors", "hf")
"""Of what is written; PyTorch files (`TORCH`) are read and not written."""
TORCH = "pth"
STEP = "global_step"
VOCABULARY = "vocabulary_digest"
_SHARD = re.compile(r"-\d+-of-\d+\.safetensors$")
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def find_weights(path: str | os.PathLike) -> str | None:
    """The prefix of a checkpoint or the path of a safetensors file, or of the index of several, or
    of a PyTorch file: `path` itself, or in the folder `path`; None if there is none. Hidden files
    are none, and PyTorch files beside one of the others (an optimizer's state, say).

    Raises: InputError naming all, if the folder holds more than one and its `checkpoint` does not
      say which is the latest, or a checkpoint beside a safetensors file.
    """
    path = str(path)
    if path.endswith((SAFETENSORS, INDEX, *ENDINGS)) and os.path.isfile(path):
        return path
    prefix = find_checkpoint(path)
    files = _safetensors_in(path) if os.path.isdir(path) else []
    candidates = ([prefix] if prefix else []) + files
    if not candidates and os.path.isdir(path):
        candidates = visible_files(path, ENDINGS)
    if len(candidates) > 1:
        raise InputError(
            "One checkpoint or file of weights is needed: name it, or give a folder with one."
            f" Found at {path}: {', '.join(candidates)}"
        )
    return candidates[0] if candidates else None


def _safetensors_in(folder: str) -> list[str]:
    """Files and indexes of a folder, without the shards of an index."""
    indexes, files = visible_files(folder, INDEX), visible_files(folder, SAFETENSORS)
    return indexes + [file for file in files if not (indexes and _SHARD.search(file))]


def kind_of(weights: str) -> str:
    """Which of `KINDS`, or `TORCH`, lies at what `find_weights` gave."""
    if is_torch_file(weights):
        return TORCH
    if has_state_dict(weights):
        return "safetensors"
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
        TORCH: _open_torch,
    }
    return openers[kind](path, config)


def load_weights(model: CrossModalBert, path: str) -> None:
    """Fills all of `model` that is built from what `find_weights` gave; what else lies there is
    reported.

    Raises: InputError if anything is missing.
    """
    check_built(model)
    if kind_of(path) == "own":
        load_own_checkpoint(model, path)
    else:
        weights = open_weights(path)
        report_unused(weights, fill(model, weights))


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
    if type_of(file.shapes):
        digest = file.metadata.get(VOCABULARY)
        state = StateDictFile(path)
        return _of_state_dict("safetensors", state, int(step), vocabulary_digest=digest)
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


def _open_torch(path, _):
    return _of_state_dict(TORCH, StateDictFile(path), step=0)


def _of_state_dict(kind, file, step, **others):
    sizes = {name: np.dtype(kind).itemsize for name, kind in file.dtypes.items()}
    return _weights(
        kind,
        file,
        list(file.shapes),
        sizes,
        step,
        tasks=file.tasks,
        heads=file.heads,
        unused=file.unread,
        taken=file.taken,
        head=head_of(file.path, file.shapes),
        outfits=outfits_of(file.path, None),
        **others,
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
    head, outfits = head_of(prefix, shapes), outfits_of(prefix, config)
    tasks = tasks_of_checkpoint(prefix, layers_of_tasks(config.model_type))
    release = state_dict_of(config.model_type)
    heads = tasks_of_checkpoint(prefix, {head: head for head in release.heads}) if release else None
    model = model_for(config, tasks, heads, head, outfits)
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
    others = {"ignored": len(optimizer), "unused": tuple(unused), "head": head, "heads": heads}
    return weights_of(model, prefix, step, outfits=outfits, **others)


def model_for(
    config: ModelConfig,
    tasks: tuple[str, ...] | None,
    heads: tuple[str, ...] | None,
    head: ClassList | None,
    outfits: OutfitDescription | None,
):
    """A model to hold weights, of pre-training or fine-tuned. Args: as the attributes of
    `Weights`.
    """
    if head:
        return classifier_for(config, head)
    if outfits:
        return outfit_model_for(config, outfits)
    return model_for_weights(config, tasks, heads)


def model_for_weights(
    config: ModelConfig, tasks: tuple[str, ...] | None, heads: tuple[str, ...] | None = None
) -> CrossModalBert:
    """A model to hold weights; they do not depend on the length of its texts, which only has to be
    possible.

    Args: heads: of a family with state dicts, the heads to be made; None: those of pre-training.
    """
    model = build_model(config, tasks, min(config.text_seq_len, config.max_position_embeddings))
    if heads is None:
        _ = model.trainable_variables  # makes them
    else:
        state_dict_of(config.model_type).build(model, heads)
    return model


def weights_of(model: CrossModalBert, path: str, step: int, **others) -> Weights:
    """The weights that a model has now."""
    entries = {**named_variables(model), **repeated_variables(model)}
    constants = constant_arrays(model)
    tensors = {
        name: lambda entry=entry: entry.to_original(entry.variable.numpy())
        for name, entry in entries.items()
    }
    sizes = {
        name: math.prod(entry.original_shape) * entry.variable.dtype.size
        for name, entry in entries.items()
    }
    return Weights(
        path=path,
        kind="own",
        tensors=tensors | {name: lambda array=array: array for name, array in constants.items()},
        shapes={name: entry.original_shape for name, entry in entries.items()}
        | {name: array.shape for name, array in constants.items()},
        num_bytes=sizes | {name: array.nbytes for name, array in constants.items()},
        step=step,
        tasks=getattr(getattr(model, "backbone", model), "tasks", ()),
        **others,
    )


def report_unused(weights: Weights, unused: tuple[str, ...]) -> None:
    """Says what lies beside the weights that were used. Args: unused: names that the model has no
    use for.
    """
    if weights.taken not in ("", WHOLE_FILE):
        print(f"{weights.path}: read was {weights.taken}")
    unused = (*weights.unused, *unused)
    if unused:
        print(f"{weights.path}: not used: {listed(list(unused))}")
    if weights.ignored:
        print(f"{weights.path}: {weights.ignored} variables of its optimizer are left alone")
