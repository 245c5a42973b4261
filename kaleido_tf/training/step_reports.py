"""What is reported of the steps of a run: the means of their figures, and how fast they are."""

import contextlib
import json
import time
from collections.abc import Callable

import tensorflow as tf


class RunningMeans(tf.train.experimental.PythonState):
    """Means by name over the steps since the last report, whatever names a step has; kept in the
    checkpoint, so that a resumed run reports the same means.
    """

    def __init__(self):
        self._waiting: list[dict[str, tf.Tensor]] = []
        self._sums: dict[str, list[float]] = {}

    def add(self, figures: dict[str, tf.Tensor]) -> None:
        """Takes the figures of a step; they are not read before they are asked for, so that the
        next step can begin.
        """
        self._waiting.append(figures)

    def pop(self) -> dict[str, float]:
        """The means by name; then everything begins anew."""
        self.settle()
        means = {name: total / steps for name, (total, steps) in self._sums.items()}
        self._sums = {}
        return means

    def settle(self) -> None:
        """Waits for the figures of all steps that were begun."""
        for figures in self._waiting:
            for name, value in figures.items():
                entry = self._sums.setdefault(name, [0.0, 0])
                entry[0] += float(value)
                entry[1] += 1
        self._waiting = []

    def serialize(self) -> str:
        """What a checkpoint holds."""
        self.settle()
        return json.dumps(self._sums)

    def deserialize(self, string_value) -> None:
        """Goes on from what a checkpoint holds."""
        self._waiting, self._sums = [], json.loads(string_value)


class StepClock:
    """Steps a second, of the steps alone: evaluations, saves and the steps that compile are left
    out.
    """

    def __init__(self):
        self._start_anew()

    def _start_anew(self):
        self._steps, self._seconds, self._compiling = 0, 0.0, 0.0

    @contextlib.contextmanager
    def step(self, traces: Callable[[], int]):
        """Times a step. Args: traces: how often its function has been traced so far; a step that
        traced it anew has compiled.
        """
        start, before = time.monotonic(), traces()
        yield
        seconds = time.monotonic() - start
        if traces() != before:
            self._compiling += seconds
        else:
            self._steps, self._seconds = self._steps + 1, self._seconds + seconds

    @contextlib.contextmanager
    def waiting(self):
        """Times what steps that were begun before still need."""
        start = time.monotonic()
        yield
        self._seconds += time.monotonic() - start

    def pop_rate(self) -> float:
        """Steps a second since the last call; where every step compiled, with that."""
        steps, seconds = self._steps, self._seconds
        if not steps:
            steps, seconds = 1, self._compiling
        self._start_anew()
        return steps / max(seconds, 1e-9)
