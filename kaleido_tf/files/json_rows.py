"""Rows of a file as JSON objects whose fields are asked for by type: a file of annotations is a
list of objects (*.json), or has one a line (*.jsonl).
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_list, read_json_object
from kaleido_tf.files.text_files import read_lines


class JsonRow:
    """A JSON object and, for messages, where it stands.

    Every method that gives a field raises InputError if it is missing or of another type.
    """

    def __init__(self, content: Mapping[str, Any], where: str):
        self.where = where
        self._content = content

    def __contains__(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._content.get(name) is not None

    def is_text(self, name: str) -> bool:
        """Whether the field is a string."""
        return isinstance(self._content.get(name), str)

    def text(self, name: str) -> str:
        """A string, which may be empty."""
        return self._of_type(name, "a string of Unicode", _is_text)

    def identifier(self, name: str) -> str:
        """A string that is not blank, or a whole number, as a string."""
        return str(self._of_type(name, "a name or a whole number", _is_identifier))

    def number(self, name: str) -> int:
        """A whole number."""
        return self._of_type(name, "a whole number", _is_number)

    def flag(self, name: str) -> bool:
        """True or false."""
        return self._of_type(name, "true or false", lambda value: isinstance(value, bool))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings, not empty."""

        def fits(value):
            return isinstance(value, list) and value and all(map(_is_text, value))

        return tuple(self._of_type(name, "a list of strings, not empty", fits))

    def identifiers(self, name: str) -> tuple[str, ...]:
        """A list, not empty, of what `identifier` takes."""

        def fits(value):
            return isinstance(value, list) and value and all(map(_is_identifier, value))

        needed = "a list of names or whole numbers, not empty"
        return tuple(map(str, self._of_type(name, needed, fits)))

    def numbers(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers, which may be empty."""

        def fits(value):
            return isinstance(value, list) and all(map(_is_number, value))

        return tuple(self._of_type(name, "a list of whole numbers", fits))

    def _of_type(self, name, needed, fits):
        value = self._content.get(name)
        if not fits(value):
            came = f"{value!r:.60}" if name in self else f"only {', '.join(sorted(self._content))}"
            raise InputError(
                f"The field `{name}` must be {needed}. Received: {came} ({self.where})"
            )
        return value


def _is_text(value) -> bool:
    """Half a surrogate pair, which JSON can spell, is none: no file could be written with it."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_number(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_identifier(value) -> bool:
    return _is_number(value) or (_is_text(value) and bool(value.strip()))


def read_json_rows(path: str | os.PathLike) -> list[JsonRow]:
    """The objects of a file, one a line where its name ends in .jsonl (blank lines are left out),
    else a JSON list of them.

    Raises: InputError if the file cannot be read, holds none, or something that is no object.
    """
    if str(path).endswith(".jsonl"):
        lines = [(n, line) for n, line in enumerate(read_lines(path), start=1) if line.strip()]
        rows = [as_row(_parsed(line, f"{path} line {n}"), f"{path} line {n}") for n, line in lines]
    else:
        entries = enumerate(read_json_list(path), start=1)
        rows = [as_row(entry, f"{path} entry {number}") for number, entry in entries]
    if not rows:
        raise InputError(f"{path}: at least one JSON object is needed. Received: none")
    return rows


def read_named_rows(path: str | os.PathLike) -> dict[str, JsonRow]:
    """Name -> row of a file that is one object of objects. Raises: InputError as
    `read_json_rows`.
    """
    return {name: as_row(each, f"{path} {name!r}") for name, each in read_json_object(path).items()}


def _parsed(line: str, where: str):
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"One JSON object a line is needed. Received: {error} ({where})"
        ) from error


def as_row(entry: Any, where: str) -> JsonRow:
    """What a JSON file holds at `where`, as a row. Raises: InputError if it is no object."""
    if not isinstance(entry, dict):
        raise InputError(f"A JSON object is needed. Received: {type(entry).__name__} ({where})")
    return JsonRow(entry, where)
