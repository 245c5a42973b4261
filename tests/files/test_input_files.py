import json
import os
import pathlib

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


@pytest.fixture
def records(tmp_path):
    """A folder of three shards under a name that is a glob, with what other programs leave."""
    folder = small_records.write(tmp_path / "run[1]" / "a *new* folder", 12)
    shards = sorted(folder.glob("*.tfrecord"))
    for name in (
        "._records-00000-of-00003.tfrecord",
        "records-00000-of-00003 (1).tfrecord",
        "records-00000-of-00003 (conflicted copy).tfrecord",
        "records-00001-of-00003.tfrecord.partial",
        ".DS_Store",
    ):
        (folder / name).write_bytes(b"Mac OS X")
    small_records.write(tmp_path / "run1" / "a new folder", 3)  # what the glob would match
    return folder, [str(shard) for shard in shards]


def test_records_are_the_shards_that_their_folder_lists(records):
    folder, shards = records
    assert find_files(str(folder)) == shards
    assert find_files(f"{folder}/*.tfrecord") == find_files(f"{folder}/*") == shards
    assert find_files(f"{folder}/records-0000[12]*") == shards[1:]
    assert find_files(shards[2]) == [shards[2]]


def test_globs_lead_through_several_folders(tmp_path, monkeypatch):
    shards = [small_records.write(tmp_path / f"part{n}" / "x", 3) for n in (1, 2)]
    monkeypatch.chdir(tmp_path)
    for pattern in ("part*/x/*.tfrecord", f"{tmp_path}/part?/x/records-*"):
        files = find_files(pattern)
        assert [os.path.dirname(os.path.abspath(file)) for file in files] == list(map(str, shards))


def test_files_that_no_folder_lists_are_taken_as_they_match(tmp_path):
    for name in ("a.csv", "b.csv", "b.csv.partial"):
        (tmp_path / name).write_text("1\n")
    (tmp_path / "[ab].csv").write_text("1\n")
    assert find_files(str(tmp_path / "[ab].csv")) == [str(tmp_path / "[ab].csv")]
    (tmp_path / "[ab].csv").unlink()
    assert find_files(str(tmp_path / "[ab]*")) == [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]


@pytest.mark.parametrize(
    "harm, fault",
    [
        (lambda shard: shard.unlink(), "is missing"),
        (lambda shard: (shard.unlink(), shard.symlink_to("/no/where")), "is a broken link to /no/"),
        (lambda shard: shard.write_bytes(b""), "is empty"),
        (lambda shard: (shard.unlink(), shard.mkdir()), "is no file"),
    ],
)
@pytest.mark.parametrize("pattern", ["", "/*.tfrecord", "/records-00001-*"])
def test_listed_shards_that_cannot_be_read_are_named(records, harm, fault, pattern):
    folder, shards = records
    harm(pathlib.Path(shards[1]))
    with pytest.raises(
        InputError, match=f"1 of the . shards .* records-00001-of-00003.tfrecord {fault}"
    ):
        find_files(f"{folder}{pattern}")


def test_list_of_shards_that_is_none(tmp_path):
    folder = small_records.write(tmp_path / "r", 3)
    for shards in ({"../x.tfrecord": 3}, {"x.tfrecord": "3"}, ["x.tfrecord"]):
        (folder / "dataset.json").write_text(json.dumps({"shards": shards}))
        with pytest.raises(InputError, match="dataset.json: `shards` must be file names"):
            find_files(str(folder))


def test_paths_in_a_list_file_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.csv").write_text("1\n")
    (tmp_path / "a.list_csv").write_text("~/x.csv\n")
    assert find_files(str(tmp_path / "a.list_csv")) == [str(tmp_path / "x.csv")]
