"""The items of an index: the line of each row, and their fields as columns.

N = rows stored. Lines are memory-mapped and read when they are asked for; a column is made once.
"""

import dataclasses
import functools
import itertools
import json
import mmap
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from kaleido_tf.errors import InputError

_SCANNED = 1 << 24  # bytes at once
_LINES = 8192  # at once


@dataclasses.dataclass(frozen=True)
class Column:
    """A field of all items: its different `values`, each as the tuple of what it says (none for
    null and for items without the field, several for a list), and `codes` [N] int32 into them.
    """

    values: list[tuple]
    codes: np.ndarray


class Items:
    """The lines of some files, one after the other.

    Args: files: (path, number of lines) of each. mapped_from: bytes of the smallest file that is
      memory-mapped; others are read.
    Raises: InputError for a file of another number of lines.
    """

    def __init__(self, files: Sequence[tuple[pathlib.Path, int]], mapped_from: int):
        self._files = [_Lines(path, count, mapped_from) for path, count in files]
        self._firsts = np.cumsum([0, *(count for _, count in files)])
        self._columns: dict[str, Column] = {}

    def __len__(self):
        return int(self._firsts[-1])

    def __getitem__(self, row: int) -> dict:
        """The item of a row: `product_id`, `image_id` and its fields."""
        place = int(np.searchsorted(self._firsts, row, "right")) - 1
        return self._files[place].item(int(row - self._firsts[place]))

    def __iter__(self) -> Iterator[dict]:
        return itertools.chain.from_iterable(self._files)

    def raw_lines(self, rows: np.ndarray) -> list[bytes]:
        """The lines of rows [n], with their ends."""
        places = np.searchsorted(self._firsts, rows, "right") - 1
        return [
            self._files[place].line(int(row - self._firsts[place])) + b"\n"
            for place, row in zip(places, rows)
        ]

    def column(self, name: str) -> Column:
        """A field of all items; see `columns`."""
        return self.columns([name])[name]

    def columns(self, names: Sequence[str]) -> dict[str, Column]:
        """Fields of all items, those that were not asked for before in one pass over the lines."""
        new = [name for name in dict.fromkeys(names) if name not in self._columns]
        if new:
            self._columns |= self._encoded(new)
        return {name: self._columns[name] for name in names}

    def _encoded(self, names: list[str]) -> dict[str, Column]:
        # keyed by type, too: 1, 1.0 and true are equal
        numbers: dict[str, dict] = {name: {} for name in names}
        codes = {name: np.empty(len(self), np.int32) for name in names}
        for row, item in enumerate(self):
            for name in names:
                said = item.get(name)
                value = tuple(said) if isinstance(said, list) else () if said is None else (said,)
                key = (value, tuple(map(type, value)))
                codes[name][row] = numbers[name].setdefault(key, len(numbers[name]))
        return {name: Column([key[0] for key in numbers[name]], codes[name]) for name in names}


class _Lines:
    """A file of `count` lines of JSON."""

    def __init__(self, path: pathlib.Path, count: int, mapped_from: int):
        self.path, self.count = path, count
        with path.open("rb") as file:
            mapped = path.stat().st_size >= mapped_from
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if mapped else file.read()
        self._content = whole

    @functools.cached_property
    def _ends(self) -> np.ndarray:
        """[count] where each line ends."""
        content = np.frombuffer(self._content, np.uint8)
        ends = np.concatenate(
            [
                start + np.flatnonzero(content[start : start + _SCANNED] == ord("\n"))
                for start in range(0, len(content), _SCANNED)
            ]
        )
        if len(ends) != self.count or ends[-1] != len(content) - 1:
            raise InputError(
                f"{self.path}: needed {self.count} whole lines. Received: {len(ends)}. Write the"
                " index anew"
            )
        return ends

    def line(self, number: int) -> bytes:
        start = self._ends[number - 1] + 1 if number else 0
        return self._content[start : self._ends[number]]

    def item(self, number: int) -> dict:
        return self._parsed(number, self.line(number))

    def __iter__(self) -> Iterator[dict]:
        for first in range(0, self.count, _LINES):
            last = min(first + _LINES, self.count) - 1
            start = self._ends[first - 1] + 1 if first else 0
            lines = self._content[start : self._ends[last]].split(b"\n")
            yield from (self._parsed(first + place, line) for place, line in enumerate(lines))

    def _parsed(self, number: int, line: bytes) -> dict:
        try:
            item = json.loads(line)
            if isinstance(item["product_id"], str) and isinstance(item["image_id"], str):
                return item
            raise ValueError("ids must be texts")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"{self.path} line {number + 1}: needed a JSON object with product_id and image_id."
                f" Received: {line[:60]!r} ({error})"
            ) from error
