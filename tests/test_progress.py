"""Progress in logs and on terminals."""

import io
import re
import sys

import pytest

from kaleido_tf import progress
from kaleido_tf.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets forward."""
    now = [100.0]
    monkeypatch.setattr(progress._Bar, "_time", lambda _: now[0], raising=False)
    original = progress._Bar.__init__

    def with_clock(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self._time = lambda: now[0]
        self.start_t = self.last_print_t = now[0]

    monkeypatch.setattr(progress._Bar, "__init__", with_clock)
    return now


def test_a_log_has_a_line_now_and_then(clock, capsys):
    with Progress("train", 1000, "images") as bar:
        bar.skipped(100)
        for _ in range(900):
            bar.done(1)
            clock[0] += 0.1
    lines = capsys.readouterr().out.splitlines()
    assert 3 <= len(lines) <= 7 and "?" not in "".join(lines)
    assert lines[-1].startswith("train: 1000/1000 images, ") and "00:00 left" in lines[-1]
    assert all(
        re.fullmatch(r"train: \d+/1000 images, .* images/s, .* left", line) for line in lines
    )


def test_first_unit_does_not_count_for_the_time_left(clock, capsys):
    with Progress("train", 12, "images") as bar:
        clock[0] += 600  # compiles
        bar.done(2)
        clock[0] += 25
        bar.done(5)
        assert "train: 7/12 images,  0.20 images/s, 00:25 left" in capsys.readouterr().out


def test_a_terminal_has_a_bar_that_is_drawn_over_itself(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", stream)
    with Progress("train", 4, "images") as bar:
        bar.done(4)
    assert "\rtrain: 100%|" in stream.getvalue() and stream.getvalue().count("\n") == 1


def test_failed_work_ends_its_bar(capsys):
    with pytest.raises(KeyError), Progress("train", 4, "images") as bar:
        bar.done(1)
        raise KeyError
    assert capsys.readouterr().out.splitlines()[-1].startswith("train: 1/4 images")
