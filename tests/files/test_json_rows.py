import json

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_rows import JsonRow, read_json_rows, read_named_rows

ROW = JsonRow(
    {
        "title": "",
        "id": 12,
        "name": "0012",
        "fake": False,
        "captions": ["red", ""],
        "numbers": [],
        "nothing": None,
    },
    "here",
)


def test_fields_by_their_types():
    assert ROW.text("title") == "" and ROW.texts("captions") == ("red", "")
    assert ROW.identifier("id") == "12" and ROW.identifier("name") == "0012"
    assert ROW.number("id") == 12 and ROW.flag("fake") is False and ROW.numbers("numbers") == ()
    assert "title" in ROW and "nothing" not in ROW and "other" not in ROW
    assert ROW.is_text("title") and not ROW.is_text("captions")
    row = JsonRow({"items": ["a", 3], "numbers": [4, 4]}, "here")
    assert row.identifiers("items") == ("a", "3") and row.numbers("numbers") == (4, 4)


@pytest.mark.parametrize(
    ("method", "value", "message"),
    [
        ("text", 3, "a string of Unicode. Received: 3"),
        ("text", "\ud83d", "a string of Unicode"),
        ("identifier", " ", "a name or a whole number. Received: ' '"),
        ("identifier", True, "Received: True"),
        ("identifier", 1.5, "Received: 1.5"),
        ("number", "3", "a whole number. Received: '3'"),
        ("number", True, "a whole number"),
        ("flag", 0, "true or false. Received: 0"),
        ("texts", [], r"not empty. Received: \[\]"),
        ("texts", "red", "a list of strings, not empty. Received: 'red'"),
        ("texts", ["red", 3], r"Received: \['red', 3\]"),
        ("identifiers", [""], r"not empty. Received: \[''\]"),
        ("numbers", [1, "2"], r"a list of whole numbers. Received: \[1, '2'\]"),
        ("numbers", [True], "a list of whole numbers"),
    ],
)
def test_fields_of_another_type(method, value, message):
    row = JsonRow({"field": value}, "file entry 3")
    with pytest.raises(InputError, match=rf"`field` must be .*{message}.*\(file entry 3\)"):
        getattr(row, method)("field")


def test_a_missing_field_names_those_that_are_there():
    with pytest.raises(InputError, match="`target` must be .*only a, b "):
        JsonRow({"b": 1, "a": 2}, "here").text("target")


def test_rows_of_a_list_and_of_lines(tmp_path):
    rows = [{"n": 1}, {"n": 2}]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n\n{"n": 2}\n', encoding="utf-8")
    listed, lined = (read_json_rows(tmp_path / name) for name in ("a.json", "a.jsonl"))
    assert [row.number("n") for row in listed] == [row.number("n") for row in lined] == [1, 2]
    assert listed[1].where.endswith("a.json entry 2") and lined[1].where.endswith("line 3")


def test_named_rows(tmp_path):
    (tmp_path / "a.json").write_text('{"x": {"n": 1}, "y": {"n": 2}}', encoding="utf-8")
    assert {k: r.number("n") for k, r in read_named_rows(tmp_path / "a.json").items()} == {
        "x": 1,
        "y": 2,
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{}", "must hold a JSON list. Received: dict"),
        ("a.json", "[3]", r"JSON object is needed. Received: int .*entry 1"),
        ("a.json", "[]", "at least one JSON object is needed. Received: none"),
        ("a.json", "[", "must be JSON"),
        ("a.jsonl", '{"n": 1}\nno\n', "One JSON object a line.*line 2"),
        ("a.jsonl", "[1]\n", "JSON object is needed. Received: list .*line 1"),
        ("a.jsonl", "\n", "at least one JSON object"),
    ],
)
def test_files_of_another_form(tmp_path, name, content, message):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_json_rows(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [("[1]", "must hold a JSON object"), ('{"x": 1}', "object is needed. Received: int .*'x'")],
)
def test_named_rows_of_another_form(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_named_rows(tmp_path / "a.json")
