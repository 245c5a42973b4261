"""How commands begin (paths in flags) and end (one message)."""

import os
import pathlib

import pytest
import tensorflow as tf
from absl import flags

import kaleido_tf
from kaleido_tf.command import expand_home, message_of
from kaleido_tf.errors import InputError


def flags_of(*arguments) -> flags.FlagValues:
    values = flags.FlagValues()
    flags.DEFINE_string("records", None, "", flag_values=values)
    flags.DEFINE_string("unset", None, "", flag_values=values)
    flags.DEFINE_list("parts", [], "", flag_values=values)
    flags.DEFINE_list("product_id", [], "", flag_values=values)
    flags.DEFINE_multi_string("again", [], "", flag_values=values)
    flags.DEFINE_integer("number", 3, "", flag_values=values)
    values(["program", *arguments])
    return values


def test_home_is_expanded_in_every_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    values = flags_of(
        "--records=~/a b/[1].h5,~/c.h5,/d/~e",
        "--parts=~/x,y~,~",
        "--product_id=~/x,~",
        "--again=~/a",
        "--again=/b",
    )
    expand_home(values)
    assert values.records == "/home/anna/a b/[1].h5,/home/anna/c.h5,/d/~e"
    assert values.parts == ["/home/anna/x", "y~", "/home/anna"]
    assert values.again == ["/home/anna/a", "/b"]
    assert values.product_id == ["~/x", "~"] and values.unset is None and values.number == 3
    assert values["records"].serialize() == "--records=/home/anna/a b/[1].h5,/home/anna/c.h5,/d/~e"


def test_home_of_another_user_and_names_that_are_nobodys():
    values = flags_of("--records=~root/x", "--parts=~nobody-of-that-name/x")
    expand_home(values)
    assert values.records == os.path.expanduser("~root/x") != "~root/x"
    assert values.parts == ["~nobody-of-that-name/x"]


def test_a_foreign_backend_of_keras_does_not_count():
    assert pathlib.Path(kaleido_tf.__file__).name == "__init__.py"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_refusals_of_the_system_are_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError) as refused:
        (tmp_path / "file" / "x").write_text("")
    assert message_of(refused.value) == f"{tmp_path}/file/x cannot be used: Not a directory"
    assert message_of(OSError(28, "No space left on device")).endswith("No space left on device")
    full = tf.errors.ResourceExhaustedError(None, None, f"{tmp_path}/x; No space left on device")
    assert message_of(full) == f"{tmp_path}/x; No space left on device"
    assert message_of(InputError("a wrong input")) == "a wrong input"


def test_faults_of_the_program_keep_their_stack_trace(tmp_path):
    with pytest.raises(OSError) as own:
        (pathlib.Path(kaleido_tf.__file__).parent / "no such file").read_bytes()
    faults = (own.value, KeyError("x"), OSError(), tf.errors.InvalidArgumentError(None, None, "x"))
    assert [message_of(fault) for fault in faults] == [None] * 4


def test_paths_are_taken_as_the_disk_spells_them(tmp_path):
    (tmp_path / "e\u0301te\u0301").mkdir()
    values = flags_of(f"--records={tmp_path}/été,été", f"--parts={tmp_path}/été")
    expand_home(values)
    assert values.records == f"{tmp_path}/e\u0301te\u0301,été"
    assert values.parts == [f"{tmp_path}/e\u0301te\u0301"]
