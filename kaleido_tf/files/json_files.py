"""Reads the small JSON files that a person may have written or a run may have left half done."""

import json
import pathlib

from kaleido_tf.errors import InputError


def read_json_object(path: str | pathlib.Path) -> dict:
    """The object that the file at `path` holds. Raises: InputError if it is no UTF-8, no JSON, or
    no object.
    """
    path = pathlib.Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of the decoder of UTF-8, or of JSON
        raise InputError(f"{path} must be JSON. Received: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object. Received: {type(content).__name__}")
    return content
