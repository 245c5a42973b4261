"""Weights of a backbone from HDF5 files of arrays, matched by name and shape."""

import hashlib
import os
import pathlib

import h5py
import numpy as np
import tf_keras

from kaleido_tf.errors import InputError


def load_hdf5_weights(model: tf_keras.Model, path: str | os.PathLike) -> None:
    """Fills `model` from a Keras HDF5 weight file, layer by layer, by name and shape; all or
    nothing.

    Raises: InputError if the file is missing or no HDF5, or if a layer's arrays are absent or of
      other shapes.
    """
    if not pathlib.Path(path).is_file():
        raise InputError(f"Backbone weights (Keras HDF5) are needed. Not found: {path}")
    try:
        with h5py.File(path, "r") as file:
            arrays = _hdf5_arrays(file["model_weights"] if "model_weights" in file else file)
    except OSError as error:
        raise InputError(
            f"Backbone weights must be a Keras HDF5 file. Received: {path} ({error})"
        ) from error
    plan = []
    for layer in model.layers:
        if not layer.weights:
            continue
        shapes = [tuple(weight.shape) for weight in layer.weights]
        stored = arrays.get(layer.name)
        if stored is None or [array.shape for array in stored] != shapes:
            got = "nothing" if stored is None else [array.shape for array in stored]
            raise InputError(
                f"{path} does not fit {model.name}: layer {layer.name} needs {shapes}, the file"
                f" holds {got}"
            )
        plan.append((layer, stored))
    for layer, stored in plan:
        layer.set_weights(stored)


def _hdf5_arrays(group: h5py.Group) -> dict[str, list[np.ndarray]]:
    """Layer name to its arrays, in the order the file gives them."""
    names = [_text(name) for name in group.attrs.get("layer_names", list(group))]
    arrays = {}
    for name in names:
        weights = [_text(weight) for weight in group[name].attrs.get("weight_names", [])]
        if weights:
            arrays[name] = [np.asarray(group[name][weight]) for weight in weights]
    return arrays


def _text(name) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def weights_digest(model: tf_keras.Model) -> str:
    """sha256 over every weight's layer name, shape and bytes, so that records know what
    made them.
    """
    digest = hashlib.sha256()
    for layer in model.layers:
        for array in layer.get_weights():
            digest.update(f"{layer.name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array, np.float32).tobytes())
    return digest.hexdigest()
