"""Reads the small JSON files that a person may have written or a run may have left half done."""

import json
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_text


def read_json_object(path: str | pathlib.Path) -> dict:
    """The object that the file at `path` holds. Raises: InputError if it cannot be opened, is no
    UTF-8, no JSON, or no object.
    """
    return _read(path, dict, "object")


def read_json_list(path: str | pathlib.Path) -> list:
    """The list that the file at `path` holds. Raises: InputError as `read_json_object`, or if it is
    no list.
    """
    return _read(path, list, "list")


def _read(path, kind, name):
    text = read_text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} must be JSON. Received: {error}") from error
    if not isinstance(content, kind):
        raise InputError(f"{path} must hold a JSON {name}. Received: {type(content).__name__}")
    return content
