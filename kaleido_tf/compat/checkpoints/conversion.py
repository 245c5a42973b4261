"""A model from one kind of file to another: our checkpoints, TF1 checkpoints of the originals,
PyTorch files (these are read alone), safetensors; and its text side alone in Hugging Face's layout.

The result is always a folder with the weights, `config.json` and `vocab.txt`, as
`--pretrain_model_name_or_path` takes it.
"""

import dataclasses
import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from kaleido_tf.compat.checkpoints.checkpoint_names import OWN_PREFIX
from kaleido_tf.compat.checkpoints.filling import Weights, below_scope, fill
from kaleido_tf.compat.checkpoints.state_dict import type_of
from kaleido_tf.compat.checkpoints.text_encoder import layout_of, to_layout
from kaleido_tf.compat.checkpoints.text_encoder_config import text_encoder_config
from kaleido_tf.compat.checkpoints.tf1_checkpoint import write_tf1_checkpoint
from kaleido_tf.compat.checkpoints.weights import (
    KINDS,
    STEP,
    TORCH,
    VOCABULARY,
    find_weights,
    kind_of,
    model_for,
    open_weights,
)
from kaleido_tf.errors import InputError, tensorflow_reason
from kaleido_tf.families import FAMILIES, read_config
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.safetensors_file import write_safetensors
from kaleido_tf.files.text_files import read_text
from kaleido_tf.files.torch_file import WHOLE_FILE
from kaleido_tf.files.whole_files import appears_whole, check_writable, write_whole
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.text import Vocabulary
from kaleido_tf.training.checkpoints import model_files


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What was done: kinds and file names, number and bytes of the variables, the step, number of
    optimizer variables that were left out, names of what else was, and notes for whoever will use
    the result.
    """

    source: str
    target: str
    kinds: tuple[str, str]
    variables: int
    num_bytes: int
    step: int
    ignored: int
    unused: tuple[str, ...]
    notes: tuple[str, ...]

    def __str__(self):
        lines = [
            f"{self.source} ({self.kinds[0]}) -> {self.target} ({self.kinds[1]})",
            (
                f"  converted: {self.variables} variables, {self.num_bytes:,} bytes, global step"
                f" {self.step}"
            ),
            f"  ignored: {self.ignored} optimizer variables",
            f"  not used: {len(self.unused)}" + "".join(f"\n    {name}" for name in self.unused),
        ]
        return "\n".join(lines + [f"  {note}" for note in self.notes])


def convert(source: str, target: str, kind: str, config_path: str | None = None) -> Conversion:
    """Converts the model at `source` into the new folder `target`, which appears whole or not at
    all.

    Args: source: see `weights.find_weights`. kind: one of `weights.KINDS`. config_path: config.json
      of the model; default: beside the weights.
    Raises: InputError for a folder that is not empty, weights that are missing or of another shape,
      a text encoder, which is no whole model, and a model that the original cannot be (`tf1`).
    """
    if kind not in KINDS:
        raise InputError(f"--to must be one of {', '.join(KINDS)}. Received: {kind}")
    folder = pathlib.Path(target)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(f"--output must be a new folder. {target} exists already")
    check_writable(folder.absolute().parent)
    path = find_weights(source)
    if path is None:
        raise InputError(
            "--input must be a checkpoint prefix (…/model.ckpt-N), a .safetensors or .pth file, or"
            f" a folder with one of them. Found at {source}: nothing"
        )
    source_kind = kind_of(path)
    if source_kind == "hf":
        raise InputError(
            f"--input must be a model of this project. Received: {path}, a text encoder, from which"
            " training starts as it is (--pretrain_model_name_or_path)"
        )
    config_file, vocabulary_file = _files(path, config_path)
    # Between the originals' names no model is needed: a checkpoint of any size goes over tensor by
    # tensor.
    needed = "own" in (source_kind, kind)
    has_config = needed or kind == "hf" or config_file.is_file()
    config = read_config(config_file) if has_config else None
    weights = open_weights(path, config)
    _check_target(weights, config, kind)
    vocabulary = _check_vocabulary(weights, config, vocabulary_file)
    notes, unused = [], list(weights.unused)
    if weights.taken not in ("", WHOLE_FILE):
        notes.append(f"read was {weights.taken}")
    if not needed and kind != "hf":
        notes.append("names and shapes were carried over as they are, not held against a model")
    if kind == "tf1":
        notes += _notes_on_export(weights, config, path)
    if kind == "hf" and vocabulary is None:
        raise InputError(f"A text encoder needs its vocab.txt. Not found: {vocabulary_file}")
    with appears_whole(folder) as partial:
        partial.mkdir()
        unused += _write_weights(partial, weights, config, vocabulary, kind)
        if config is None:
            notes.append("no config.json there, so none was written: --input_config gives one")
        else:
            content = _config_content(config, config_file, vocabulary, kind)
            write_whole(partial / "config.json", json.dumps(content, indent=2) + "\n")
        if vocabulary is not None:
            write_whole(partial / "vocab.txt", read_text(vocabulary_file))
        else:
            notes.append("no vocab.txt there, so none was written")
        for described in filter(None, (weights.head, weights.outfits) if kind != "hf" else ()):
            described.write(partial)
    converted = [name for name in weights.tensors if name not in unused]
    size = sum(weights.num_bytes[name] for name in converted)
    return Conversion(
        path,
        target,
        (source_kind, kind),
        len(converted),
        size,
        weights.step,
        weights.ignored,
        tuple(unused),
        tuple(notes),
    )


def _files(path: str, config_path: str | None) -> tuple[pathlib.Path, pathlib.Path]:
    """config.json and vocab.txt: beside the weights, or beside the config that was given."""
    config, vocabulary = model_files(path)
    if not config_path:
        return config, vocabulary
    config = pathlib.Path(config_path)
    if not config.is_file():
        raise InputError(f"--input_config must be a config.json. Not found: {config_path}")
    return config, vocabulary if vocabulary.is_file() else config.with_name("vocab.txt")


def _check_target(weights: Weights, config: ModelConfig | None, kind: str) -> None:
    """Raises: InputError for a state dict's model where TF1 or a text encoder is asked for."""
    model_type = config.model_type if config else type_of(weights.shapes)
    original = FAMILIES[model_type].original if model_type else None
    foreign = weights.kind == TORCH if original is None else original.easytransfer is None
    if kind in ("tf1", "hf") and foreign:
        what = "TF1 checkpoint" if kind == "tf1" else "text encoder"
        raise InputError(
            f"{weights.path} cannot be a {what}: its release is a state dict of PyTorch."
            " --to=safetensors gives the state dict's names, --to=own a checkpoint for here"
        )


def _notes_on_export(weights: Weights, config: ModelConfig | None, path: str) -> list[str]:
    """What the original would do differently. Raises: InputError if it cannot be this
    model at all.
    """
    own = [name for name in weights.tensors if name.startswith(OWN_PREFIX)]
    if own:
        raise InputError(
            f"{path} cannot be a TF1 checkpoint: the original has no {', '.join(own)} and would"
            " compute other numbers without (config.json: matching_similarity,"
            " comparison_size, patch_feature_norm). --to=safetensors keeps them"
        )
    if config is None:
        return []
    family = FAMILIES[config.model_type]
    tasks, original = family.model.TASKS, family.original
    if original is None:
        raise InputError(
            f"{path} cannot be a TF1 checkpoint: models of type {config.model_type} have none"
        )
    if weights.head is not None and weights.head.modalities == "text":
        raise InputError(
            f"{path} cannot be a TF1 checkpoint: it was fine-tuned on texts alone, and the original"
            " always reads an image. --to=safetensors keeps what there is"
        )
    absent = [task for task in tasks if weights.tasks is not None and task not in weights.tasks]
    # Of a fine-tuned model the original reads the encoder and its own head.
    if absent and weights.head is None:
        raise InputError(
            f"{path} cannot be a TF1 checkpoint: the original restores all heads, and this model"
            f" was trained without those of {', '.join(absent)}. --to=safetensors keeps what"
            " there is"
        )
    notes = [
        f"{key} is {getattr(config, key)} here: {what}"
        for key, (value, what) in original.easytransfer.departures.items()
        if getattr(config, key) != value
    ]
    if "text_seq_len" in config.OURS:
        notes.append(
            "the original is told the length of its texts by a flag:"
            f" --input_sequence_length={config.text_seq_len}"
        )
    return notes


def _write_weights(
    folder: pathlib.Path,
    weights: Weights,
    config: ModelConfig | None,
    vocabulary: Vocabulary | None,
    kind: str,
) -> tuple[str, ...]:
    """Writes the weights alone; returns the names that were not used."""
    if kind == "own":
        return _write_own(folder, weights, config)
    if kind == "hf":
        return _write_text_encoder(folder, weights, config, vocabulary)
    if kind == "tf1":
        step = {STEP: np.asarray(weights.step, np.int64)}
        write_tf1_checkpoint(folder / f"model.ckpt-{weights.step}", {**weights.tensors, **step})
    else:
        metadata = _metadata(weights, config, vocabulary)
        write_safetensors(folder / "model.safetensors", weights.tensors, metadata)
    return ()


def _write_text_encoder(
    folder: pathlib.Path, weights: Weights, config: ModelConfig, vocabulary: Vocabulary
) -> tuple[str, ...]:
    """Writes the text side in Hugging Face's layout; returns the names of the rest."""
    names = {below_scope(name): name for name in weights.tensors}
    sizes = text_encoder_config(config, vocabulary.pad_id)
    tensors = to_layout(
        weights.path,
        sizes,
        {below: weights.tensors[name] for below, name in names.items()},
        {below: weights.shapes[name] for below, name in names.items()},
    )
    # Without the word "pt" transformers does not open a file.
    write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"})
    return tuple(sorted(name for below, name in names.items() if below not in layout_of(sizes)))


def _write_own(folder: pathlib.Path, weights: Weights, config: ModelConfig) -> tuple[str, ...]:
    """Writes a checkpoint of this project; returns the names that were not used."""
    model = model_for(config, weights.tasks, weights.heads, weights.head, weights.outfits)
    unused = fill(model, weights)
    checkpoint = tf.train.Checkpoint(model=model, step=tf.Variable(weights.step, dtype=tf.int64))
    manager = tf.train.CheckpointManager(
        checkpoint, str(folder), max_to_keep=None, checkpoint_name="model.ckpt"
    )
    try:
        manager.save(checkpoint_number=weights.step)
    except tf.errors.OpError as error:
        raise InputError(
            f"A checkpoint could not be written to {folder}: {tensorflow_reason(error)}"
        ) from error
    return unused


def _check_vocabulary(
    weights: Weights, config: ModelConfig | None, path: pathlib.Path
) -> Vocabulary | None:
    """The vocabulary beside the weights, if there is one.

    Raises: InputError for one of another size than the model's, or another one than the model was
      trained with, as far as its weights say.
    """
    if not path.is_file():
        return None
    vocabulary = Vocabulary(path)
    if config is not None and len(vocabulary) != config.vocab_size:
        raise InputError(
            f"{path} must have the {config.vocab_size} word pieces of config.json (`vocab_size`)."
            f" Received: {len(vocabulary)}"
        )
    if weights.vocabulary_digest not in (None, vocabulary.digest):
        raise InputError(
            f"{weights.path} was trained with another vocabulary than {path} (SHA-256"
            f" {weights.vocabulary_digest[:12]} and {vocabulary.digest[:12]})"
        )
    return vocabulary


def _metadata(
    weights: Weights, config: ModelConfig | None, vocabulary: Vocabulary | None
) -> dict[str, str]:
    metadata = {STEP: str(weights.step)}
    if vocabulary is not None:
        metadata[VOCABULARY] = vocabulary.digest
    if config is not None:
        metadata["model_type"] = config.model_type
    if weights.tasks is not None:
        metadata["tasks"] = ",".join(weights.tasks)
    return metadata


def _config_content(
    config: ModelConfig, path: os.PathLike, vocabulary: Vocabulary | None, kind: str
) -> dict:
    """`config.json` of the result: spelled out in full for us, without a key of ours for the
    original, a BERT's for Hugging Face, else as it was.
    """
    if kind == "own":
        return config.to_dict()
    if kind == "hf":
        return text_encoder_config(config, vocabulary.pad_id)
    content = read_json_object(path)
    if kind == "safetensors":
        return content
    original = FAMILIES[config.model_type].original.easytransfer
    content = {**original.unused_values, **content, **config.to_dict()}
    return {key: value for key, value in content.items() if key not in config.OURS}
