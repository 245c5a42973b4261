"""A TensorFlow function as an ONNX model.

tf2onnx copies a graph with all its weights once for every step of its work: of a model with 170 MB
of word tables that is more than 20 GB. So large weights go around it: they are inputs of the graph
that it sees, and become the model's own again afterwards.
"""

import numpy as np
import tensorflow as tf

from kaleido_tf.export.quiet import quiet
from kaleido_tf.export.signatures import Signature

OPSET = 17
LARGE = 2**16
"""Bytes of a weight that goes around."""


def to_onnx(function, signature: Signature):
    """An `onnx.ModelProto` of a function: inputs and outputs are called as the signature's."""
    # Beside the rest, since both come with an extra that few need.
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    whole = function.get_concrete_function()
    with quiet():
        frozen = convert_variables_to_constants_v2(whole, lower_control_flow=False)
    graph, weights = _without_large_weights(frozen.graph.as_graph_def())
    inputs = [tensor.name for tensor in frozen.inputs if tensor.dtype != tf.resource]
    outputs = [tensor.name for tensor in frozen.outputs]
    names = [*(spec.name for spec in signature.inputs), *sorted(whole.structured_outputs)]
    with quiet():
        model, _ = tf2onnx.convert.from_graph_def(
            graph,
            input_names=[*inputs, *(f"{name}:0" for name in weights)],
            output_names=outputs,
            opset=OPSET,
            tensors_to_rename=dict(zip((*inputs, *outputs), names, strict=True)),
        )
    _put_back(model, weights)
    return model


def _without_large_weights(graph: tf.compat.v1.GraphDef):
    """(the graph with inputs in their places, name -> weight)"""
    weights = {}
    for node in graph.node:
        if node.op != "Const" or node.attr["value"].tensor.ByteSize() < LARGE:
            continue
        weights[node.name] = tf.make_ndarray(node.attr["value"].tensor)
        kind = node.attr["dtype"].type
        node.Clear()
        node.name, node.op, node.attr["dtype"].type = next(reversed(weights)), "Placeholder", kind
        shape = tf.TensorShape(weights[node.name].shape)
        node.attr["shape"].shape.CopyFrom(shape.as_proto())
    return graph, weights


def _put_back(model, weights: dict[str, np.ndarray]) -> None:
    import onnx

    names = {f"{name}:0": name for name in weights}
    inputs = [value for value in model.graph.input if value.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    read = {name for node in model.graph.node for name in node.input}
    for name in sorted(read & set(names)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(weights[names[name]], name))
