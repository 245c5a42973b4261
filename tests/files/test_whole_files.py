import os

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import appear_together, appears_whole, check_writable, write_whole


def test_text_and_bytes_in_folders_that_are_made(tmp_path):
    write_whole(tmp_path / "a" / "b.txt", "grün\n")
    write_whole(tmp_path / "a" / "c.bin", b"\x00\xff")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "grün\n".encode() and (
        tmp_path / "a" / "c.bin"
    ).read_bytes() == b"\x00\xff"
    assert sorted(os.listdir(tmp_path / "a")) == ["b.txt", "c.bin"]


def test_folder_that_cannot_be_written_is_known_before(tmp_path):
    check_writable(tmp_path / "new" / "folder")
    assert not any(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="A folder to write into is needed. Received: .*file"):
        check_writable(tmp_path / "file")


def test_failed_block_leaves_what_was_there(tmp_path):
    write_whole(tmp_path / "x", "before")
    with pytest.raises(KeyError), appears_whole(tmp_path / "x") as partial:
        partial.write_text("half")
        raise KeyError
    assert (tmp_path / "x").read_text() == "before" and os.listdir(tmp_path) == ["x"]


def test_folders_appear_whole_over_what_a_killed_process_left(tmp_path):
    (tmp_path / "folder.partial").mkdir()
    (tmp_path / "folder.partial" / "old").write_text("")
    with appears_whole(tmp_path / "folder") as partial:
        partial.mkdir()
        (partial / "new").write_text("")
    assert os.listdir(tmp_path / "folder") == ["new"] and os.listdir(tmp_path) == ["folder"]


def test_refusing_disk_is_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError, match="file/x could not be written: .*Not a directory|File exists"
    ):
        write_whole(tmp_path / "file" / "x", "")


def test_files_that_belong_together_appear_together(tmp_path):
    (tmp_path / "a").write_text("before")
    with pytest.raises(KeyError), appear_together(tmp_path / "set") as aside:
        (aside / "a").write_text("half")
        raise KeyError
    assert (tmp_path / "a").read_text() == "before" and os.listdir(tmp_path) == ["a"]
    with appear_together(tmp_path / "set", last="a") as aside:
        (aside / "a").write_text("after")
        (aside / "b").write_text("after")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"] and (tmp_path / "a").read_text() == "after"


def test_none_of_several_files_appears_if_one_cannot(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="b is a folder"), appear_together(tmp_path / "x") as aside:
        (aside / "a").write_text("")
        (aside / "b").write_text("")
    assert os.listdir(tmp_path) == ["b"]
