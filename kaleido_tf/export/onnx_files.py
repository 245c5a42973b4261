"""Writes signatures as ONNX files and holds each against TensorFlow before it counts."""

import importlib.util
import pathlib

import numpy as np
import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.export.onnx_graph import to_onnx
from kaleido_tf.export.signatures import AXES, Signature

TOLERANCES = {"vector": 1e-5, "hubness": 1e-4, "match_hubness": 1e-4, "score": 1e-4, "logits": 1e-4}
"""By output: how far ONNX Runtime may be from TensorFlow, times the largest number of an output
where that is above 1.
"""
CHECKED_BATCHES = (1, 7)


def check_onnx_there() -> None:
    """Raises: InputError unless the extra is installed."""
    missing = [name for name in ("tf2onnx", "onnxruntime") if not importlib.util.find_spec(name)]
    if missing:
        raise InputError(f'--format=onnx needs {" and ".join(missing)}: pip install -e ".[export]"')


def write_onnx(
    folder: pathlib.Path, signatures: dict[str, Signature], text_length: int, word_ids: np.ndarray
) -> tuple[dict[str, dict], dict[str, dict]]:
    """Writes `<signature>.onnx` of each.

    Args: text_length: S. word_ids: of what texts are drawn that the files are tried on.
    Returns: of each signature, output name -> TensorSpec; and output name -> the largest difference
      from TensorFlow over batches of one and several, and texts of any length.
    Raises: InputError if a file computes other numbers.
    """
    outputs, differences = {}, {}
    for name, signature in signatures.items():
        function = signature.function()
        path = folder / f"{name}.onnx"
        _convert(function, signature, path)
        outputs[name] = function.get_concrete_function().structured_outputs
        differences[name] = _differences(path, function, signature, text_length, word_ids)
    return outputs, differences


def _convert(function, signature: Signature, path: pathlib.Path) -> None:
    import onnx

    model = to_onnx(function, signature)
    for value in (*model.graph.input, *model.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        for dimension, axis in zip(dimensions, AXES.get(value.name, ("batch",))):
            dimension.dim_param = axis
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _differences(
    path: pathlib.Path, function, signature: Signature, text_length: int, word_ids: np.ndarray
) -> dict[str, float]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    largest = dict.fromkeys(names, 0.0)
    for batch, length in _sizes(signature, text_length):
        fed = _drawn_inputs(signature, batch, length, word_ids)
        expected = function(*map(tf.constant, fed.values()))
        for name, found in zip(names, session.run(names, fed)):
            difference = _difference(found, expected[name].numpy())
            largest[name] = max(largest[name], difference)
            if not difference <= TOLERANCES[name]:
                raise InputError(
                    f"{path.name}: `{name}` must be TensorFlow's within {TOLERANCES[name]:g}."
                    f" Received: a difference of {difference:.3g} (batch of {batch}). This model"
                    " cannot be exported to ONNX"
                )
    return largest


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def _sizes(signature: Signature, text_length: int) -> list[tuple[int, int]]:
    """(batch, length of texts): every length once, or both batches where there are no texts."""
    if "token_ids" not in {spec.name for spec in signature.inputs}:
        return [(batch, 0) for batch in CHECKED_BATCHES]
    return [
        (CHECKED_BATCHES[length % len(CHECKED_BATCHES)], length)
        for length in range(1, text_length + 1)
    ] + [(batch, text_length) for batch in CHECKED_BATCHES]


def _drawn_inputs(
    signature: Signature, batch: int, length: int, word_ids: np.ndarray
) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(length)
    drawn = {}
    for spec in signature.inputs:
        sizes = iter((batch, length))
        shape = [next(sizes) if size is None else size for size in spec.shape]
        if spec.name == "token_ids":
            values = generator.choice(word_ids, shape)
        elif spec.dtype == tf.int32:  # boxes
            values = np.sort(generator.integers(0, 384, shape), axis=-1)
        else:
            values = generator.random(shape)
        drawn[spec.name] = values.astype(spec.dtype.as_numpy_dtype)
    return drawn
