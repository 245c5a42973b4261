import os

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files, listed_count
from tests import small_records


def test_files_by_glob_directory_and_list(tmp_path):
    folder = small_records.write(tmp_path / "records", 12)
    names = sorted(os.listdir(folder))
    shards = [str(folder / name) for name in names if name.endswith(".tfrecord")]
    assert find_files(str(folder)) == find_files(str(folder / "records-*")) == shards
    (tmp_path / "train.list_tfrecord").write_text(
        f"12\nrecords/{os.path.basename(shards[1])}\n\n{shards[0]}\n"
    )
    assert find_files(str(tmp_path / "train.list_tfrecord")) == [shards[1], shards[0]]


def test_empty_patterns_are_named(tmp_path):
    with pytest.raises(InputError, match="Nothing matches: '.*nothing-\\*'"):
        find_files(str(tmp_path / "nothing-*"))
    with pytest.raises(InputError, match=r"directory of record shards \(\*.tfrecord\) is needed"):
        find_files(str(tmp_path))
    (tmp_path / "a.list_csv").write_text("3\n\n")
    with pytest.raises(InputError, match="empty list"):
        find_files(str(tmp_path / "a.list_csv"))
    (tmp_path / "b.list_csv").write_text("gone.tfrecord\n")
    with pytest.raises(InputError, match="lists gone.tfrecord, which is neither"):
        find_files(str(tmp_path / "b.list_csv"))


def test_other_suffixes_of_a_directory(tmp_path):
    for name in ("b.csv", "a.csv", "c.tfrecord", "notes.txt"):
        (tmp_path / name).write_text("1\n")
    assert find_files(str(tmp_path), (".csv",)) == [
        str(tmp_path / "a.csv"),
        str(tmp_path / "b.csv"),
    ]
    assert find_files(str(tmp_path)) == [str(tmp_path / "c.tfrecord")]
    with pytest.raises(InputError, match=r"\(\*.npz or \*.json\) is needed. None in"):
        find_files(str(tmp_path), (".npz", ".json"))


def test_only_the_first_line_of_a_list_file_is_a_count(tmp_path, monkeypatch):
    (tmp_path / "part").write_text("1\n")
    (tmp_path / "a.list_csv").write_text("17\n\npart\n")
    (tmp_path / "b.list_csv").write_text("\n17\npart\n5\n")
    assert listed_count(str(tmp_path / "a.list_csv")) == 17
    assert listed_count(str(tmp_path / "b.list_csv")) is None
    assert listed_count(str(tmp_path / "part")) is None
    assert (
        find_files(str(tmp_path / "a.list_csv"))
        == find_files(str(tmp_path / "b.list_csv"))
        == [str(tmp_path / "part")]
    )
    (tmp_path / "lists").mkdir()
    # the released scripts list paths from where they run
    (tmp_path / "lists" / "c.list_csv").write_text("./part\n")
    monkeypatch.chdir(tmp_path)
    assert find_files("lists/c.list_csv") == ["part"]


def test_data_file_under_the_name_of_a_list_file(tmp_path):
    (tmp_path / "a.list_csv").write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match="a.list_csv: text in UTF-8 is needed"):
        find_files(str(tmp_path / "a.list_csv"))


def test_byte_order_mark_is_no_part_of_a_list(tmp_path):
    (tmp_path / "a.tfrecord").touch()
    listing = tmp_path / "a.list_tfrecord"
    for content, count in (("3\r\na.tfrecord\r\n", 3), ("a.tfrecord", None)):
        listing.write_text(content, encoding="utf-8-sig")
        assert find_files(str(listing)) == [str(tmp_path / "a.tfrecord")]
        assert listed_count(str(listing)) == count
