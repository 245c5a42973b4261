"""Which outputs of an ONNX network are the feature vector and the map, and how a map is read.

n = images, H, W = their size in pixels, C = channels.
"""

import dataclasses
import math

import numpy as np

from data_prep.onnx_graphs.settings_file import is_count
from kaleido_tf.errors import InputError

_CLASSES = (1000, 1001, 21841, 21843)  # of ImageNet: what classifiers end with
_TOKENS = {"patches": 0, "class_first": 1}

Shapes = dict[str, tuple[int, ...]]


def _is_map(value) -> bool:
    if value is None or isinstance(value, str):
        return True
    if not isinstance(value, dict) or not isinstance(value.get("output"), str):
        return False
    (key, way) = next(((k, v) for k, v in value.items() if k != "output"), ("", None))
    if len(value) != 2 or key not in ("tokens", "layout"):
        return False
    if key == "layout":
        return way in ("NCHW", "NHWC")
    return way in _TOKENS if isinstance(way, str) else is_count(way)


OUTPUT_KEYS = {
    "features": (
        lambda v: isinstance(v, str),
        "name of the output of shape [n, C] that is the feature vector; or that of the map, whose"
        " mean over all places is it then",
    ),
    "map": (
        _is_map,
        "name of the output of shape [n, C, rows, columns] before pooling;"
        ' {"output": NAME, "tokens": "patches"} for one of shape [n, tokens, C], "class_first" if'
        " a class token stands before the patches, a number if so many tokens do;"
        ' {"output": NAME, "layout": "NHWC"} for [n, rows, columns, C]; null if there is none',
    ),
}


@dataclasses.dataclass(frozen=True)
class MapOutput:
    """An output that is a map. `layout`: NCHW, NHWC or tokens; `leading`: tokens that are no
    patches.
    """

    output: str
    layout: str
    leading: int = 0

    def read(self, array: np.ndarray, height: int, width: int) -> np.ndarray:
        """The output as it comes, of images of H x W pixels -> [n, rows, columns, C].

        Raises: InputError for tokens that are no grid of the images' proportion.
        """
        if self.layout == "NHWC":
            return array
        if self.layout == "NCHW":
            return array.transpose(0, 2, 3, 1)
        patches = array[:, self.leading :]
        rows, columns = _grid_of(patches.shape[1], height, width)
        if rows * columns != patches.shape[1] or not _is_grid(rows, columns, height, width):
            raise InputError(
                f"`map`: tokens that are a grid are needed. {self.output} has {array.shape[1]} for"
                f" an image of {height} x {width} pixels; without the {self.leading} that `tokens`"
                " says are no patches, they are none"
            )
        return patches.reshape(len(array), rows, columns, -1)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """`features`: the output that is the vector, or the map's, whose mean it is then."""

    features: str
    map: MapOutput | None

    @property
    def is_mean_of_map(self) -> bool:
        """Whether the features are the mean of the map."""
        return self.map is not None and self.features == self.map.output

    def to_dict(self) -> dict:
        """What JSON can hold of it."""
        return {"features": self.features, "map": self.map and dataclasses.asdict(self.map)}


def settle_outputs(
    shapes: Shapes, said: dict, height: int, width: int
) -> tuple[Outputs | None, dict[str, object]]:
    """(the outputs, by what was said and by their shapes; key -> example of what neither says).

    Args: shapes: of every output, for images of `height` x `width` pixels.
    Raises: InputError for a name that is no output, or an output of a shape that its key cannot
      have.
    """
    found, missing = _settle_map(shapes, said, height, width)
    vectors = [name for name, shape in shapes.items() if _is_vector(shape)]
    features = said.get("features")
    if features is not None:
        _check_output("features", features, shapes)
        if features not in vectors and not (found and features == found.output):
            raise InputError(
                "`features` must be an output of shape [n, C], or the one that `map` names."
                f" Received: {features} of {_listed(shapes)}"
            )
    elif len(vectors) == 1 and shapes[vectors[0]][1] not in _CLASSES:
        features = vectors[0]
    elif not vectors and found:
        features = found.output
    elif vectors:
        missing["features"] = vectors[0]
    elif not missing:
        raise InputError(
            "An output of shape [n, C] (a feature vector), [n, C, rows, columns] or [n, tokens, C]"
            f" (a map) is needed. Received: {_listed(shapes)}"
        )
    return (None, missing) if missing else (Outputs(features, found), {})


def _settle_map(shapes, said, height, width) -> tuple[MapOutput | None, dict[str, object]]:
    if "map" in said:
        return _said_map(shapes, said["map"], height, width)
    grids = [name for name, shape in shapes.items() if len(shape) == 4 and not _is_vector(shape)]
    rows_of_tokens = [name for name, shape in shapes.items() if len(shape) == 3]
    if len(grids) == 1 and not rows_of_tokens:
        return _said_map(shapes, grids[0], height, width)
    if grids:
        return None, {"map": grids[-1]}
    if rows_of_tokens:
        return None, {"map": _example(shapes, rows_of_tokens[0], height, width)}
    return None, {}


def _example(shapes, name, height, width) -> dict[str, str]:
    """How an output of tokens may be meant, by how many there are; only its user can know."""
    rows, columns = _grid_of(shapes[name][1], height, width)
    fits = rows * columns == shapes[name][1] and _is_grid(rows, columns, height, width)
    return {"output": name, "tokens": "patches" if fits else "class_first"}


def _said_map(shapes, value, height, width) -> tuple[MapOutput | None, dict[str, object]]:
    if value is None:
        return None, {}
    said = {"output": value} if isinstance(value, str) else value
    name = said["output"]
    _check_output("map", name, shapes)
    shape = shapes[name]
    if len(shape) == 3:
        if "tokens" not in said:
            return None, {"map": _example(shapes, name, height, width)}
        tokens = said["tokens"]
        found = MapOutput(name, "tokens", _TOKENS.get(tokens, tokens))
        found.read(np.empty(shape, np.bool_), height, width)
        return found, {}
    if len(shape) != 4 or "tokens" in said:
        raise InputError(
            "`map` must be an output of shape [n, C, rows, columns] or, with `tokens`, [n, tokens,"
            f" C]. Received: {name} of {_listed(shapes)}"
        )
    places = {"NCHW": shape[2:], "NHWC": shape[1:3]}
    fitting = [way for way, (r, c) in places.items() if _is_grid(r, c, height, width)]
    layout = said.get("layout", fitting[0] if len(fitting) == 1 else None)
    if layout is None:
        return None, {"map": {"output": name, "layout": "NCHW"}}
    return MapOutput(name, layout), {}


def _is_vector(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 4 and (shape[2:] == (1, 1) or shape[1:3] == (1, 1)))


def _grid_of(places: int, height: int, width: int) -> tuple[int, int]:
    """(rows, columns) of about so many squares over an image of this size."""
    rows = max(1, round(math.sqrt(places * height / width)))
    return rows, places // rows


def _is_grid(rows: int, columns: int, height: int, width: int) -> bool:
    """Whether so many places can lie over an image of this size in squares."""
    skew = abs(rows * width - columns * height)
    return 0 < rows <= height and 0 < columns <= width and skew < max(height, width)


def _check_output(key: str, name: str, shapes: Shapes) -> None:
    if name not in shapes:
        raise InputError(
            f"`{key}` must be the name of an output. Received: {name}. There are: {_listed(shapes)}"
        )


def _listed(shapes: Shapes) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
