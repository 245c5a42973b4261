"""A small trained network in one safetensors file: its weights by name, and its settings as JSON in
the metadata, so that the two cannot be parted.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import textwrap

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.files.safetensors_file import SafetensorsFile, write_safetensors


def weights_of(model: tf_keras.Model) -> dict[str, tf.Variable]:
    """Variables by name, e.g. `decode8a/kernel`. All layers must be named, so that names do not
    depend on what was built before.
    """
    return {weight.name.removesuffix(":0"): weight for weight in model.weights}


def write_network(path: str | os.PathLike, kind: str, settings, model: tf_keras.Model) -> None:
    """Args: kind: says what the file is. settings: a dataclass of what JSON can hold."""
    metadata = {"kind": kind, "settings": json.dumps(dataclasses.asdict(settings))}
    write_safetensors(
        path, {name: weight.numpy() for name, weight in weights_of(model).items()}, metadata
    )


def read_network(path: str | os.PathLike, kind: str, settings_class: type, build, what: str):
    """(settings, model) of what `write_network` wrote.

    Args: build: settings -> model. what: "a saliency network (a file that data_prep.train_saliency
      wrote)", for messages.
    Raises: InputError for anything else: another file, other names or shapes, NaN.
    """
    if not pathlib.Path(path).is_file():
        raise InputError(f"{what[0].upper()}{what[1:]} is needed. Not found: {path}")
    file = SafetensorsFile(path)
    if file.metadata.get("kind") != kind:
        raise InputError(
            f"{what[0].upper()}{what[1:]} is needed. {path} says that it is"
            f" {file.metadata.get('kind', 'nothing')!r}"
        )
    try:
        settings = settings_class(**json.loads(file.metadata.get("settings", "")))
    except (ValueError, TypeError) as error:  # no JSON, other names; an InputError is a ValueError
        raise InputError(f"{path}: its settings cannot be used: {error}") from error
    model = build(settings)
    _fill(model, file, settings)
    return settings, model


def _fill(model: tf_keras.Model, file: SafetensorsFile, settings) -> None:
    weights = weights_of(model)
    for name in sorted({*weights, *file.shapes}):
        needed, stored = (
            (tuple(weights[name].shape) if name in weights else "nothing"),
            file.shapes.get(name, "nothing"),
        )
        if needed != stored:
            summary = textwrap.shorten(str(settings), 200)  # a captioner's settings list its pieces
            raise InputError(
                f"{file.path} does not fit its own settings ({summary}): {name} needs {needed}, the"
                f" file holds {stored}"
            )
    arrays = {name: file.read(name) for name in weights}
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise InputError(
            f"{file.path}: weights must be finite numbers. Received: NaN or infinity in"
            f" {', '.join(broken[:5])}"
        )
    for name, weight in weights.items():
        weight.assign(arrays[name])


def network_digest(settings, model: tf_keras.Model) -> str:
    """sha256 over the settings and the names, shapes and bytes of the weights."""
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(settings), sort_keys=True).encode())
    for name, weight in sorted(weights_of(model).items()):
        digest.update(f"{name}{tuple(weight.shape)}".encode())
        digest.update(np.ascontiguousarray(weight.numpy(), np.float32).tobytes())
    return digest.hexdigest()
