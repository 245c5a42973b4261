"""From photos to what an image network takes: order of the channels, range, mean, layout and size.

N = images, h, w = their size in pixels.
"""

import dataclasses

import numpy as np

from data_prep.onnx_graphs.graph import OnnxGraph
from kaleido_tf.errors import InputError

EXAMPLES = {
    "channel_order": "RGB",
    "value_range": [0, 1],
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "layout": "NCHW",
    "size": 224,
}
"""For messages: what most networks of PyTorch take."""
_AS_THEY_ARE = {"value_range": [0, 255], "mean": 0, "std": 1}
IMAGE_MAX = "image_max"
"""A value range: each image is divided by its own largest value."""


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """A pixel of 0 to 255 is brought to `value_range`, less `mean`, divided by `std`; the channels
    stand in `channel_order`, the axes in `layout`. `size`: (height, width) where the network takes
    no other.
    """

    channel_order: str
    value_range: tuple[float, float] | str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: str
    size: tuple[int, int] | None
    dtype: type

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """[N, h, w, 3] uint8 RGB -> [N, 3, h, w] or [N, h, w, 3] of the network's type."""
        if self.value_range == IMAGE_MAX:
            prepared = [self._looked_up(image[None], max(1, image.max())) for image in images]
            return np.concatenate(prepared)
        return self._looked_up(images, 255)

    def _looked_up(self, images: np.ndarray, largest: int) -> np.ndarray:
        """The images where `largest` becomes the upper end of the range.

        There are 256 values a channel, so that looking them up is exact and quicker than arithmetic
        on every pixel.
        """
        low, high = (0, 1) if self.value_range == IMAGE_MAX else self.value_range
        in_range = low + np.arange(256)[:, None] * ((high - low) / largest)
        table = ((in_range - self.mean) / self.std).astype(self.dtype)
        count, height, width, _ = images.shape
        first = self.layout == "NCHW"
        shape = (count, 3, height, width) if first else (count, height, width, 3)
        prepared = np.empty(shape, self.dtype)
        for channel, colour in enumerate((2, 1, 0) if self.channel_order == "BGR" else (0, 1, 2)):
            place = prepared[:, channel] if first else prepared[..., channel]
            place[:] = table[:, channel][images[..., colour]]
        return prepared

    def to_dict(self) -> dict:
        """What JSON can hold of it, for `dataset.json` and the digest."""
        content = dataclasses.asdict(self)
        content.pop("dtype")
        return {k: list(v) if isinstance(v, tuple) else v for k, v in content.items()}


def settle_shape(graph: OnnxGraph, said: dict) -> tuple[dict, dict]:
    """(`layout` and `size` by the graph's input and what was said, what neither says).

    Raises: InputError if the two disagree.
    """
    at_three = [layout for layout, axis in (("NCHW", 1), ("NHWC", 3)) if graph.shape[axis] == 3]
    layout = said.get("layout", at_three[0] if len(at_three) == 1 else None)
    if layout is None:
        return {}, {"layout": EXAMPLES["layout"]}
    channels = graph.shape[1 if layout == "NCHW" else 3]
    if layout not in (at_three or [layout]) or (isinstance(channels, int) and channels != 3):
        raise InputError(
            f"{graph.flag}: an input of three colours, in layout {layout}, is needed. {graph.path}"
            f" takes {graph.shape}"
        )
    stated = graph.shape[2:] if layout == "NCHW" else graph.shape[1:3]
    size = said.get("size")
    size = [size, size] if isinstance(size, int) else size
    for own, asked in zip(stated, size or []):
        if isinstance(own, int) and own != asked:
            raise InputError(
                f"`size` must be that of the graph. {graph.path} takes {stated} pixels (height,"
                f" width). Received: {size}"
            )
    known = [isinstance(side, int) for side in stated]
    if size is None and any(known):
        if not all(known):
            return {"layout": layout}, {"size": EXAMPLES["size"]}
        size = stated
    return {"layout": layout, "size": tuple(size) if size else None}, {}


def settle_pixels(graph: OnnxGraph, said: dict) -> tuple[dict, dict]:
    """(`channel_order`, `value_range`, `mean` and `std` by the graph's type and what was said, what
    neither says).
    """
    if graph.dtype is np.uint8:
        for key, value in _AS_THEY_ARE.items():
            if said.get(key, value) != value:
                raise InputError(
                    f"`{key}` must be {value} for a graph that takes uint8. Received: {said[key]}"
                )
        said = {**said, **_AS_THEY_ARE}
    keys = ("channel_order", "value_range", "mean", "std")
    known = {key: said[key] for key in keys if key in said}
    return known, {key: EXAMPLES[key] for key in keys if key not in said}


def build_preprocessing(graph: OnnxGraph, shape: dict, pixels: dict) -> Preprocessing:
    """Of what `settle_shape` and `settle_pixels` found, when nothing is missing."""
    low_high = pixels["value_range"]
    return Preprocessing(
        pixels["channel_order"],
        low_high if low_high == IMAGE_MAX else tuple(low_high),
        _three(pixels["mean"]),
        _three(pixels["std"]),
        shape["layout"],
        shape["size"],
        graph.dtype,
    )


def _three(value) -> tuple[float, ...]:
    return tuple(float(v) for v in (value if isinstance(value, list) else [value] * 3))
