"""Tiny image networks as ONNX files: one convolution whose steps do not overlap, so that every cell
of the map is a linear function of its own pixels.
"""

import dataclasses

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, STRIDE = 5, 8
IMAGENET = {
    "channel_order": "RGB",
    "value_range": [0, 1],
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
}
PLAIN = {"channel_order": "RGB", "value_range": [0, 255], "mean": 0, "std": 1}


@dataclasses.dataclass
class Network:
    """What a file is to hold. `shape`: of the input, in `layout`. `outputs`: some of features, map,
    map_last (channels last), tokens, class_tokens (one stands before those of the patches), pooled
    ([n, C, 1, 1]), saliency ([n, 1, rows, columns]), batch_mean
    ([1, C, rows, columns]).
    """

    outputs: tuple[str, ...] = ("features", "map")
    shape: tuple = ("n", 3, "h", "w")
    layout: str = "NCHW"
    dtype: int = TensorProto.FLOAT
    channels: int = CHANNELS
    stride: int = STRIDE
    metadata: dict = dataclasses.field(default_factory=dict)
    more_inputs: tuple = ()
    kernel: np.ndarray | None = None
    rows_of_tokens: int = 0  # 0: as many as there are images

    def __post_init__(self):
        if self.kernel is None:
            sizes = [self.channels, 3, self.stride, self.stride]
            self.kernel = np.random.default_rng(3).normal(0, 0.1, sizes).astype(np.float32)

    def by_hand(self, pixels):
        """[N, h, w, 3] float, prepared -> the map [N, rows, columns, C]."""
        count, height, width, _ = pixels.shape
        rows, columns = height // self.stride, width // self.stride
        cut = pixels[:, : rows * self.stride, : columns * self.stride]
        cells = cut.reshape(count, rows, self.stride, columns, self.stride, 3)
        return np.einsum("nrycxk,okyx->nrco", cells, self.kernel)

    def save(self, path, **more):
        onnx.save(self.model(), path, **more)
        return str(path)

    def model(self):
        image = helper.make_tensor_value_info("pixels", self.dtype, self.shape)
        others = [helper.make_tensor_value_info(*more) for more in self.more_inputs]
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs
        ]
        graph = helper.make_graph(
            self._nodes(), "tiny", [image, *others], outputs, self._initializers()
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        helper.set_model_props(model, self.metadata)
        return model

    def _nodes(self):
        node = helper.make_node
        nodes = [node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT)]
        if self.layout == "NHWC":
            nodes.append(node("Transpose", ["float"], ["first"], perm=[0, 3, 1, 2]))
        first = "first" if self.layout == "NHWC" else "float"
        strides = [self.stride, self.stride]
        return [
            *nodes,
            node("Conv", [first, "kernel"], ["map"], strides=strides),
            node("ReduceMean", ["map"], ["features"], axes=[2, 3], keepdims=0),
            node("ReduceMean", ["map"], ["pooled"], axes=[2, 3], keepdims=1),
            node("Transpose", ["map"], ["map_last"], perm=[0, 2, 3, 1]),
            node("Reshape", ["map", "flat"], ["rows"]),
            node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]),
            node("Unsqueeze", ["features", "axis"], ["class"]),
            node("Concat", ["class", "tokens"], ["class_tokens"], axis=1),
            node("ReduceMean", ["map"], ["saliency"], axes=[1], keepdims=1),
            node("ReduceMean", ["map"], ["batch_mean"], axes=[0], keepdims=1),
        ]

    def _initializers(self):
        return [
            numpy_helper.from_array(self.kernel, "kernel"),
            numpy_helper.from_array(
                np.array([self.rows_of_tokens, len(self.kernel), -1], np.int64), "flat"
            ),
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
        ]
