"""A salient-object network from an ONNX file (U2-Net, IS-Net and relatives): one image in, one mask
out.

N = photos, H, W = a photo's own size, h, w = the size that the network works at, to which photos
are stretched, as those networks were trained.
"""

import hashlib
import json

import cv2
import numpy as np

from data_prep.foreground.saliency import check_picture
from data_prep.onnx_graphs.graph import OnnxGraph
from data_prep.onnx_graphs.preprocessing import (
    IMAGE_MAX,
    build_preprocessing,
    settle_pixels,
    settle_shape,
)
from data_prep.onnx_graphs.settings_file import (
    PIXEL_KEYS,
    read_metadata,
    read_settings_file,
    say_what_is_missing,
)
from kaleido_tf.errors import InputError

WEIGHTS_FLAG, SETTINGS_FLAG = "--foreground_weights", "--foreground_preprocessing"
MASK_VALUES = ("probabilities", "logits", "min_max")
_is_range, _range_text = PIXEL_KEYS["value_range"]
KEYS = {
    **PIXEL_KEYS,
    "value_range": (
        lambda v: v == IMAGE_MAX or _is_range(v),
        f'{_range_text}; "{IMAGE_MAX}": 0 to 1, divided by the image\'s own largest value',
    ),
    "mask": (
        lambda v: isinstance(v, str),
        "name of the output that is the mask, of shape [n, h, w] with an axis of 1 perhaps",
    ),
    "mask_values": (
        lambda v: v in MASK_VALUES,
        '"probabilities", "logits", or "min_max" if the smallest value of each mask is to become 0'
        " and its largest 1",
    ),
}
_SQUARE = 320  # pixels: of U2-Net, for messages
_BATCH = 16
_ROUNDING = 1e-3  # by which a probability may leave 0 to 1


class OnnxSaliency:
    """A trained network, used as `saliency.SaliencyNet` is.

    Args: weights: the ONNX file. settings: the JSON file that says what the graph does not.

    Attributes: `preprocessing`: all that was settled, as JSON can hold it; `digest`: sha256 over it
      and the file.

    Raises: InputError for files that cannot be used, and for what neither of them settles.
    """

    def __init__(self, weights: str, settings: str = ""):
        said = read_settings_file(settings, KEYS)
        self._graph = graph = OnnxGraph(weights, WEIGHTS_FLAG)
        said = {**read_metadata(graph.metadata, weights, KEYS), **said}
        shape, no_shape = settle_shape(graph, said)
        pixels, missing = settle_pixels(graph, said)
        missing |= no_shape
        if shape and shape.get("size") is None:
            missing["size"] = _SQUARE
        self._mask = said.get("mask", next(iter(graph.outputs)))
        if "mask" not in said and len(graph.outputs) > 1:
            missing["mask"] = self._mask
        if "mask_values" not in said:
            missing["mask_values"] = "min_max"
        if missing:
            raise say_what_is_missing(_described(graph), SETTINGS_FLAG, said, missing, KEYS)
        if self._mask not in graph.outputs:
            raise InputError(
                f"`mask` must be the name of an output. Received: {self._mask}. {_described(graph)}"
            )
        self._values = said["mask_values"]
        self._prepare = build_preprocessing(graph, shape, pixels)
        self._size = shape["size"]
        self._maps(np.zeros([1, *self._size, 3], np.uint8))  # says at once if it cannot be run
        self.preprocessing = {
            **self._prepare.to_dict(),
            "mask": self._mask,
            "mask_values": self._values,
        }
        text = json.dumps(self.preprocessing, sort_keys=True)
        self.digest = hashlib.sha256(f"{graph.digest} {text}".encode()).hexdigest()

    def masks(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """[H, W, 3] uint8 RGB each, of any sizes -> [H, W] float32 each, 0 to 1: above 0.5 a pixel
        is product.

        Raises: InputError for an array of another kind, or values that `mask_values` denies.
        """
        for image in images:
            check_picture(image)
        masks = []
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH]
            maps = self._in_range(self._maps(np.stack([self._stretch(image) for image in batch])))
            masks += [
                cv2.resize(found, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
                for found, image in zip(maps, batch)
            ]
        return masks

    def _stretch(self, image: np.ndarray) -> np.ndarray:
        height, width = self._size
        shrinks = image.shape[0] * image.shape[1] > height * width
        return cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )

    def _maps(self, squares: np.ndarray) -> np.ndarray:
        """[N, h, w, 3] uint8 -> [N, rows, columns] float32, as the network says it."""
        (values,) = self._graph.run(squares, [self._mask], self._prepare)
        sides = [side for side in values.shape[1:] if side != 1]
        if len(sides) != 2 or len(values) != len(squares):
            raise InputError(
                f"{WEIGHTS_FLAG}: a mask of shape [n, h, w], with an axis of 1 perhaps, is needed."
                f" {self._graph.path} gives {self._mask} {list(values.shape)} for"
                f" {len(squares)} image(s)"
            )
        return values.reshape(len(values), *sides).astype(np.float32)

    def _in_range(self, maps: np.ndarray) -> np.ndarray:
        """[N, rows, columns] -> the same in 0 to 1, by `mask_values`."""
        if self._values == "logits":
            return 1 / (1 + np.exp(-np.clip(maps, -60, 60)))
        low = maps.min(axis=(1, 2), keepdims=True)
        high = maps.max(axis=(1, 2), keepdims=True)
        if self._values == "min_max":
            return (maps - low) / np.maximum(high - low, 1e-6)
        if not (low.min() >= -_ROUNDING and high.max() <= 1 + _ROUNDING):
            raise InputError(
                f"`mask_values`: probabilities lie in 0 to 1. {self._graph.path} gives values from"
                f' {low.min():g} to {high.max():g}: they may be "logits", or "min_max" is meant'
            )
        return maps


def _described(graph: OnnxGraph) -> str:
    outputs = ", ".join(f"{name} {shape}" for name, shape in graph.outputs.items())
    return f"{graph.path} (input {graph.shape}; outputs {outputs})"
