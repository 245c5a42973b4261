import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.files.flag_files import with_flag_files

MARK = "\ufeff"


def test_flags_stand_where_the_file_was_named(tmp_path):
    inner, outer = tmp_path / "inner.cfg", tmp_path / "outer.cfg"
    inner.write_text(f"{MARK}--steps=3\r\n", encoding="utf-8")
    outer.write_text(
        f"{MARK}# größer\n\n// anders\n--rate=2\n--flagfile={inner}\n--name=a b\n", encoding="utf-8"
    )
    expanded = ["--rate=2", "--steps=3", "--name=a b"]
    assert with_flag_files(["-v", f"--flagfile={outer}", "x"]) == ["-v", *expanded, "x"]
    assert with_flag_files(["-flagfile", str(outer)]) == expanded
    assert with_flag_files(["--", f"--flagfile={outer}"]) == ["--", f"--flagfile={outer}"]
    assert with_flag_files(["--flagfile="]) == []


def test_mark_before_the_first_flag_is_left_out(tmp_path):
    (tmp_path / "a.cfg").write_text(f"{MARK}--steps=3", encoding="utf-8")
    assert with_flag_files([f"--flagfile={tmp_path / 'a.cfg'}"]) == ["--steps=3"]


def test_unusable_files_are_named(tmp_path):
    path = tmp_path / "a.cfg"
    with pytest.raises(InputError, match="--flagfile needs the path"):
        with_flag_files(["--flagfile"])
    with pytest.raises(InputError, match="a.cfg cannot be read: No such file"):
        with_flag_files([f"--flagfile={path}"])
    path.write_text(f"--flagfile={path}")
    with pytest.raises(InputError, match="names itself: .*a.cfg -> .*a.cfg"):
        with_flag_files([f"--flagfile={path}"])
    path.write_text("--steps=3", encoding="utf-16")
    with pytest.raises(InputError, match="a.cfg: text in UTF-8 is needed. Received: UTF-16"):
        with_flag_files([f"--flagfile={path}"])
