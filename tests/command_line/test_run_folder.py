"""What a run leaves of its settings, and what a run that is gone on with must not change."""

import sys

import pytest
from absl import flags

from kaleido_tf.command_line import run_folder
from kaleido_tf.command_line.run_folder import leave_settings
from kaleido_tf.errors import InputError
from kaleido_tf.text import SPECIAL_TOKENS
from tests.tiny_models import tiny_config

DECISIVE = ("start", "rate", "whole")


@pytest.fixture
def leave(tmp_path, monkeypatch):
    """Leaves the settings of a command with the given flags and words of a vocabulary."""

    def call(*given, words=("a", "b")):
        own = flags.FlagValues()
        flags.DEFINE_string("start", None, "Where it starts.", flag_values=own)
        flags.DEFINE_float("rate", 0.5, "Rate.", flag_values=own)
        flags.DEFINE_boolean("whole", False, "Wholly.", flag_values=own)
        flags.DEFINE_integer("log", 1, "Decides nothing.", flag_values=own)
        own(["command", *given])
        monkeypatch.setattr(flags, "FLAGS", own)
        vocabulary = tmp_path / "vocabulary.txt"
        vocabulary.write_text("".join(f"{word}\n" for word in (*SPECIAL_TOKENS, *words)))
        module = sys.modules[__name__]
        leave_settings(str(tmp_path / "run"), tiny_config(), str(vocabulary), module, DECISIVE)
        return tmp_path / "run"

    return call


@pytest.fixture
def begun(leave, monkeypatch):
    """A run that started from a model, and has a checkpoint by now."""
    folder = leave("--start=bert", "--rate=0.25")
    monkeypatch.setattr(run_folder, "find_checkpoint", lambda _: "model.ckpt-3")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_that_is_gone_on_with_overwrites_nothing(leave, begun):
    folder = leave("--start=bert", "--rate=0.25", "--log=7")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == begun
    assert set(begun) == {"config.json", "vocab.txt", "flags.cfg"}


@pytest.mark.parametrize(
    "given, message",
    [
        (("--rate=0.25",), "--start=bert there, no --start now"),
        (("--start=other", "--rate=0.25"), "--start=bert there, --start=other now"),
        (("--start=bert",), "--rate=0.25 there, --rate=0.5 now"),
        (("--start=bert", "--rate=0.25", "--whole"), "--nowhole there, --whole now"),
    ],
)
def test_what_decides_a_run_must_not_change(leave, begun, given, message):
    with pytest.raises(InputError, match=message):
        leave(*given)


def test_a_start_that_is_new_is_refused_too(leave, monkeypatch):
    leave("--rate=0.25")
    monkeypatch.setattr(run_folder, "find_checkpoint", lambda _: "model.ckpt-3")
    with pytest.raises(InputError, match="no --start there, --start=bert now"):
        leave("--start=bert", "--rate=0.25")


def test_another_vocabulary_is_refused(leave, begun):
    with pytest.raises(InputError, match="holds a run with another vocabulary"):
        leave("--start=bert", "--rate=0.25", words=("b", "a"))
