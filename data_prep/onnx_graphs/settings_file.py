"""The small JSON file that says of an ONNX network what its graph does not: its keys and what they
may hold.
"""

import difflib
import json
from collections.abc import Callable

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object

METADATA_KEY = "preprocessing"
"""A graph whose metadata has this entry brings the content of such a file itself."""

LARGEST_SIDE = 4096
"""In pixels, of an image that goes through a network."""
_LARGEST_NUMBER = 1e6
_SMALLEST_SPREAD = 1e-6

Check = Callable[[object], bool]


def _is_number(value) -> bool:
    whole_or_not = isinstance(value, (int, float)) and not isinstance(value, bool)
    return whole_or_not and abs(value) <= _LARGEST_NUMBER  # false for NaN


def is_count(value) -> bool:
    """Whether a value of JSON is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_SIDE


def _is_numbers(value, count: int, above: float = float("-inf")) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(_is_number(number) and number > above for number in value)
    )


def _is_size(value) -> bool:
    return is_count(value) or (
        isinstance(value, list) and len(value) == 2 and all(is_count(side) for side in value)
    )


PIXEL_KEYS: dict[str, tuple[Check, str]] = {
    "channel_order": (lambda v: v in ("RGB", "BGR"), '"RGB" or "BGR"'),
    "value_range": (
        lambda v: _is_numbers(v, 2) and v[0] < v[1],
        "what pixels of 0 and of 255 become: [0, 1], [-1, 1] or [0, 255]",
    ),
    "mean": (
        lambda v: _is_number(v) or _is_numbers(v, 3),
        "subtracted then: a number, or three in the order of the channels",
    ),
    "std": (
        lambda v: _is_numbers(v if isinstance(v, list) else [v] * 3, 3, above=_SMALLEST_SPREAD),
        "divided by at last: a number above 0, or three",
    ),
    "layout": (lambda v: v in ("NCHW", "NHWC"), '"NCHW" or "NHWC": where the channels stand'),
    "size": (_is_size, "of the images that the network takes: N, or [height, width], in pixels"),
}
"""Key -> (whether a value is one, what it says), of every image network."""


def read_settings_file(path: str, keys: dict[str, tuple[Check, str]]) -> dict:
    """What the file at `path` says; nothing without one.

    Args: keys: key -> (whether a value is one, what it says).
    Raises: InputError for a file that is no JSON object, an unknown key, or a value of another
      kind, with all keys.
    """
    return _checked(read_json_object(path), path, keys) if path else {}


def read_metadata(metadata: dict[str, str], where: str, keys: dict[str, tuple[Check, str]]) -> dict:
    """What a graph's metadata say: `METADATA_KEY`, else ONNX's own entries for images.

    Args: where: the file's path, for messages; metadata: its texts by name.
    Raises: InputError as `read_settings_file`.
    """
    if METADATA_KEY in metadata:
        try:
            said = json.loads(metadata[METADATA_KEY])
        except ValueError as error:
            raise InputError(
                f"{where}: its metadata `{METADATA_KEY}` must be JSON. Received: {error}"
            ) from error
        if not isinstance(said, dict):
            raise InputError(f"{where}: its metadata `{METADATA_KEY}` must be a JSON object")
        return _checked(said, f"{where}, metadata `{METADATA_KEY}`", keys)
    said = {
        "channel_order": {"Rgb8": "RGB", "Bgr8": "BGR"}.get(
            metadata.get("Image.BitmapPixelFormat", "")
        ),
        "value_range": {
            "NominalRange_0_255": [0, 255],
            "Normalized_0_1": [0, 1],
            "Normalized_1_1": [-1, 1],
        }.get(metadata.get("Image.NominalPixelRange", "")),
    }
    return {key: value for key, value in said.items() if value is not None}


def _checked(content: dict, where: str, keys: dict[str, tuple[Check, str]]) -> dict:
    for key, value in content.items():
        if key not in keys:
            near = difflib.get_close_matches(key, list(keys), n=1)
            raise InputError(
                f"{where}: unknown key `{key}`.{f' Is `{near[0]}` meant?' if near else ''} Known:"
                f" {', '.join(keys)}"
            )
        fits, needed = keys[key]
        if not fits(value):
            raise InputError(f"{where}: `{key}` must be {needed}. Received: {json.dumps(value)}")
    return content


def say_what_is_missing(
    what: str, flag: str, said: dict, missing: dict[str, object], keys: dict
) -> InputError:
    """The error that asks for a file with what neither the graph nor the file settles.

    Args: what: the graph's path and what is known of it. flag: of the JSON file. said: what is
      settled by the file. missing: key -> an example of its value.
    """
    needed = "; ".join(f"`{key}` ({keys[key][1]})" for key in missing)
    template = json.dumps({**said, **missing})
    return InputError(
        f"{what} does not say by itself how it is used. Needed: {flag}=FILE.json with {needed}. For"
        f" example, with your network's own values: {template}"
    )
