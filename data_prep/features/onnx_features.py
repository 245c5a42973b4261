"""An image network from an ONNX file as a backbone: its features, its map, and how big a cell of
the map is.

N = images, h, w = their size in pixels, F = feature size, C = channels of the map.
"""

import hashlib
import json
import math

import numpy as np

from data_prep.features.input_sizes import InputSizes
from data_prep.features.onnx_outputs import OUTPUT_KEYS, Outputs, settle_outputs
from data_prep.onnx_graphs.graph import OnnxGraph
from data_prep.onnx_graphs.preprocessing import (
    Preprocessing,
    build_preprocessing,
    settle_pixels,
    settle_shape,
)
from data_prep.onnx_graphs.settings_file import (
    PIXEL_KEYS,
    is_count,
    read_metadata,
    read_settings_file,
    say_what_is_missing,
)
from kaleido_tf.errors import InputError

WEIGHTS_FLAG, SETTINGS_FLAG = "--backbone_weights", "--backbone_preprocessing"
KEYS = {
    **PIXEL_KEYS,
    "multiple": (is_count, "a number of pixels that the sides of images are multiples of"),
    "smallest": (is_count, "the smallest side that the network takes, in pixels"),
    **OUTPUT_KEYS,
}
_SMALLEST = 32  # pixels a side, where nobody says another number
_TRIED = 64  # pixels: the network is tried on an image of this height and thrice the width


class OnnxFeatures:
    """What `backbones.Backbone` is made of.

    Args: weights: the ONNX file. settings: the JSON file that says what the graph does not; empty
      for none.
    Attributes: feature_size; map_channels: 0 without a map; sizes; stride: pixels a cell of the
      map, None without one; preprocessing: all that was settled, as JSON can hold it; digest:
      sha256 over file and preprocessing.
    Raises: InputError for files that cannot be used, and for what neither of them settles.
    """

    def __init__(self, weights: str, settings: str):
        said = read_settings_file(settings, KEYS)
        self._graph = OnnxGraph(weights, WEIGHTS_FLAG)
        said = {**read_metadata(self._graph.metadata, weights, KEYS), **said}
        self._settle(said)
        self.preprocessing = {
            **self._prepare.to_dict(),
            "multiple": self.sizes.multiple,
            "smallest": self.sizes.smallest,
            **self._outputs.to_dict(),
        }
        text = json.dumps(self.preprocessing, sort_keys=True)
        self.digest = hashlib.sha256(f"{self._graph.digest} {text}".encode()).hexdigest()
        self._has_warned = False

    def _settle(self, said: dict) -> None:
        """How images are prepared and which outputs count, by the graph and what is said of it.

        The network is tried before the first complaint, so that one message names all that is
        missing.
        """
        graph = self._graph
        shape, no_shape = settle_shape(graph, said)
        pixels, no_pixels = settle_pixels(graph, said)
        if no_shape:  # it cannot even be tried
            raise _missing(graph, graph.outputs, said, {**no_shape, **no_pixels})
        self.sizes = _sizes(said, shape["size"])
        tried = _try(graph, shape, self.sizes)
        shapes = {name: array.shape for name, array in tried.arrays.items()}
        outputs, no_outputs = settle_outputs(shapes, said, *tried.size)
        if no_pixels or no_outputs:
            raise _missing(graph, shapes, said, {**no_pixels, **no_outputs})
        self._outputs: Outputs = outputs
        self._prepare: Preprocessing = build_preprocessing(graph, shape, pixels)
        self._measure(tried)

    def _measure(self, tried: "_Tried") -> None:
        """Feature size, channels and stride, by what came out when the network was tried."""
        height, width = tried.size
        self.map_channels, self.stride = 0, None
        if self._outputs.map:
            found = self._outputs.map.read(tried.arrays[self._outputs.map.output], height, width)
            rows, columns, self.map_channels = found.shape[1:]
            # of a difference, since a border that is lost or added would count otherwise
            grown = width > height and columns > rows
            self.stride = round(
                (width - height) / (columns - rows) if grown else max(height / rows, 1)
            )
        vector = tried.arrays[self._outputs.features]
        self.feature_size = (
            self.map_channels if self._outputs.is_mean_of_map else math.prod(vector.shape[1:])
        )

    def extract(self, images: np.ndarray) -> np.ndarray:
        """[N, h, w, 3] uint8 RGB -> [N, F] float32. Prints once if patches are too small for the
        map's cells.
        """
        self._warn_of_small(*images.shape[1:3])
        if self._outputs.is_mean_of_map:
            return self.feature_map(images).mean(axis=(1, 2))
        (vectors,) = self._graph.run(images, [self._outputs.features], self._prepare)
        return vectors.reshape(len(images), -1).astype(np.float32)

    def feature_map(self, images: np.ndarray) -> np.ndarray:
        """[N, h, w, 3] uint8 RGB -> [N, rows, columns, C] float32. Raises: InputError without a
        map.
        """
        found = self._outputs.map
        if found is None:
            raise InputError(
                "A network with a map (features of places, before pooling) is needed."
                f" {self._graph.path} was used without one: `map` of {SETTINGS_FLAG} names the"
                " output that is it, if there is one"
            )
        (array,) = self._graph.run(images, [found.output], self._prepare)
        return found.read(array, *images.shape[1:3]).astype(np.float32)

    def map_side(self, side: int) -> int:
        """Cells a side of the map of a square of so many pixels. Raises: InputError as
        `feature_map`.
        """
        return self.feature_map(np.zeros([1, side, side, 3], np.uint8)).shape[1]

    def _warn_of_small(self, height: int, width: int) -> None:
        if self._has_warned or not self.stride or min(height, width) >= 2 * self.stride:
            return
        self._has_warned = True
        print(
            f"note: patches of {width} x {height} pixels go through {self._graph.path}, of which a"
            f" cell is {self.stride} pixels: features of patches below two cells a side say"
            f" little. --patch_size={2 * self.stride} or more enlarges them first",
            flush=True,
        )


def _sizes(said: dict, size: tuple[int, int] | None) -> InputSizes:
    """Raises: InputError for sizes of a network that takes one only."""
    if size is None:
        return InputSizes(said.get("smallest", _SMALLEST), said.get("multiple", 1))
    for key in ("smallest", "multiple"):
        if key in said:
            raise InputError(
                f"`{key}` is for networks that take images of several sizes. Received: {said[key]},"
                f" for one that takes {size[0]} x {size[1]} pixels (height, width) alone"
            )
    return InputSizes(fixed=(size[1], size[0]))


class _Tried:
    """The network's outputs for two images of noise (one, if it takes no more). `size`: (height,
    width) of them; `arrays`: output -> values.
    """

    def __init__(self, graph: OnnxGraph, shape: dict, sizes: InputSizes):
        width, height = sizes.fit(3 * _TRIED, _TRIED)
        self.size = height, width
        count = 1 if graph.one_at_a_time else 2
        colours_first = shape["layout"] == "NCHW"
        dimensions = [count, 3, height, width] if colours_first else [count, height, width, 3]
        noise = np.random.default_rng(0).integers(0, 2, dimensions)
        names = list(graph.outputs)
        arrays = dict(zip(names, graph.run_together(noise.astype(graph.dtype), names)))
        # what is not an array of a row for each image can be neither features nor a map
        self.arrays = {n: a for n, a in arrays.items() if np.ndim(a) > 1 and len(a) == count}
        self.listed = ", ".join(f"{name} {list(np.shape(a))}" for name, a in arrays.items())


def _try(graph: OnnxGraph, shape: dict, sizes: InputSizes) -> _Tried:
    try:
        tried = _Tried(graph, shape, sizes)
    except InputError as error:
        raise InputError(
            f"{error}. If it takes images of certain sizes only, `size`, `smallest` or `multiple`"
            f" in {SETTINGS_FLAG} says which; if single images only, export it with a batch axis of"
            " 1"
        ) from error
    if not tried.arrays:
        raise InputError(
            f"{graph.flag}: outputs of a row for each image are needed. For two images {graph.path}"
            f" gives {tried.listed}: export it with a dynamic batch axis"
        )
    return tried


def _missing(graph: OnnxGraph, shapes, said: dict, missing: dict) -> InputError:
    listed = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    what = f"{graph.path} (input {graph.shape}; outputs {listed})"
    return say_what_is_missing(what, SETTINGS_FLAG, said, missing, KEYS)
