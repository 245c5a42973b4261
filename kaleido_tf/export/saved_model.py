"""Writes signatures as a TensorFlow SavedModel, which tensorflow and tensorflow-text alone load."""

import pathlib
from collections.abc import Sequence

import tensorflow as tf

from kaleido_tf.export.quiet import quiet
from kaleido_tf.export.signatures import Signature


def write_saved_model(
    folder: pathlib.Path,
    signatures: dict[str, Signature],
    modules: Sequence[tf.Module],
    variables: Sequence[tf.Variable],
) -> dict[str, dict]:
    """Writes the model into a folder that may be moved.

    Args: modules: what functions hold beside variables (tables). variables: all that they may read.
    Returns: of each signature, output name -> TensorSpec.
    """
    functions = {name: signature.function() for name, signature in signatures.items()}
    concrete = {name: function.get_concrete_function() for name, function in functions.items()}
    whole = tf.Module(name="exported")
    whole.modules = list(modules)
    # Only what the functions read; layers would be saved with calls of their own.
    read = {id(part) for function in concrete.values() for part in function.captured_inputs}
    whole.weights = [variable for variable in variables if id(variable.handle) in read]
    with quiet():
        tf.saved_model.save(whole, str(folder), signatures=concrete)
    return {name: function.structured_outputs for name, function in concrete.items()}
