"""File names that are made from a user's words, and names in another Unicode form."""

import os
import unicodedata

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.files.file_names import check_folder_name, file_name, picture_names, present_form


@pytest.mark.parametrize(
    "name",
    "../x /x x/y x\\y .. . .x x. x: x? a*b CON lpt1.txt con.a".split()
    + [" ", "", " x", "x ", "x\ny", "x\0", "a|b", "x" * 201, "é" * 101, "x\u202ey"],
)
def test_names_that_are_no_folders_are_refused(name):
    with pytest.raises(InputError, match="a split that can be the name of a folder. .* line 3"):
        check_folder_name(name, "split", "products.jsonl line 3")


@pytest.mark.parametrize("name", ["train", "été 2024", "a.b", "test-[1]", "~x", "console", "試験"])
def test_other_names_are_kept(name):
    check_folder_name(name, "split", "here")


IDS = [
    *("a/b", "a\\b", "a:b", "a%2Fb", "..", ".", "../../x", "a b", "100_1", "\0", "a\nb", "é"),
    *("e\u0301", "x" * 300, "x" * 299 + "y", "é" * 300, "x" * 196, "~", "CON"),
]


def test_names_of_ids_lie_in_their_folder_and_differ(tmp_path):
    names = [file_name(identifier, ".png") for identifier in IDS]
    assert len({name.lower() for name in names}) == len(IDS)
    for name in names:
        (tmp_path / name).write_bytes(b"")
        (tmp_path / f"{name}.partial").write_bytes(b"")
    assert sum(name.endswith(".png") for name in os.listdir(tmp_path)) == len(IDS)
    assert not any(name.startswith(".") for name in names) and file_name("a1-b_2", "") == "a1-b_2"


def test_other_unicode_form_is_found_in_names_and_folders(tmp_path):
    for there, asked in (("NFD", "NFC"), ("NFC", "NFD")):
        place = tmp_path / there / unicodedata.normalize(there, "über/robe_été.png")
        place.parent.mkdir(parents=True)
        place.write_bytes(b"x")
        path = str(tmp_path / there / unicodedata.normalize(asked, "über/robe_été.png"))
        assert present_form(path) == str(place) != path
        assert present_form(path + "x") == path + "x"
    assert present_form("no/such/é") == "no/such/é"


def test_exact_names_come_first_and_doubtful_ones_stay_as_they_are(tmp_path):
    forms = [unicodedata.normalize(form, "éé.png") for form in ("NFC", "NFD")]
    for name in forms:
        (tmp_path / name).write_bytes(b"")
    assert present_form(str(tmp_path / forms[1])) == str(tmp_path / forms[1])
    mixed = str(tmp_path / ("é" + "e\u0301.png"))
    assert present_form(mixed) == mixed


def test_files_that_come_later_are_seen(tmp_path):
    path = str(tmp_path / "é")
    assert present_form(path) == path
    (tmp_path / "e\u0301").write_bytes(b"")
    os.utime(tmp_path, ns=(1, 1))
    assert present_form(path) == str(tmp_path / "e\u0301")


def test_pictures_of_ids_that_are_called_alike_do_not_replace_each_other():
    pairs = [("100_1", "100_1_1"), ("a/b", "a/b_1"), ("100_1", "100_1"), ("100_1", "100_1_1")]
    assert picture_names(pairs) == {
        "100_1.png": "100_1_1",
        "a%2Fb.png": "a/b_1",
        "100_1 %28image_id%29.png": "100_1",
    }
