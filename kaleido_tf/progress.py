"""How far a long piece of work is: a bar on a terminal; in a log, a line now and then."""

import re
import sys
from typing import TextIO

from tqdm import tqdm

_SECONDS = 20  # between two lines
_STATE = "{n_fmt}/{total_fmt}{unit}, {rate_noinv_fmt}, {remaining} left"
_LINE = "{desc}: " + _STATE
_BAR = "{desc}: {percentage:3.0f}%|{bar}| " + _STATE


class Progress:
    """Counts units of work, e.g. images. A context manager; its end says the last state.

    The time left is that of the units after the first `done`: in that one TensorFlow compiles what
    it then uses again.
    Args: what: e.g. the split. total: number of units. unit: in the plural.
    """

    def __init__(self, what: str, total: int, unit: str):
        terminal = sys.stdout.isatty()
        self._first = True
        self._bar = _Bar(
            desc=what,
            total=total,
            unit=f" {unit}",
            bar_format=_BAR if terminal else _LINE,
            file=sys.stdout if terminal else _Lines(sys.stdout),
            mininterval=0.1 if terminal else _SECONDS,
            miniters=1,
            smoothing=0,  # all units count alike: shards differ in how long they take
        )

    def skipped(self, count: int) -> None:
        """Units that were there already, and do not count for the rate."""
        self._bar.n += count
        self._bar.initial += count

    def done(self, count: int) -> None:
        """Counts `count` more units."""
        self._bar.update(count)
        if self._first and self._bar.n < self._bar.total:
            self._bar.count_from_here()
        self._first = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_) -> None:
        self._bar.close()


class _Bar(tqdm):
    monitor_interval = 0  # no thread beside: who works here may fork

    def count_from_here(self) -> None:
        """Lets the rate begin here."""
        self.initial = self.n
        self.start_t = self.last_print_t = self._time()


class _Lines:
    """A stream on which what a bar draws over itself becomes lines."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> None:
        line = text.strip("\r\n ")
        # Before a unit is done there is nothing to say, nor where all units were there already.
        nothing = re.search(r": (0|(\d+)(?=/\2 ))/\d+ .*, \? ", line)
        if line and not nothing:
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        self._stream.flush()
