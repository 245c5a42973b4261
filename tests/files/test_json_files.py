import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_list, read_json_object


def test_object_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"name": "Kleid, grün"}', encoding="utf-8")
    assert read_json_object(tmp_path / "a.json") == {"name": "Kleid, grün"}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "must be JSON"),
        (b"{", "must be JSON"),
        (b'{"a": "\xff"}', ": text in UTF-8 is needed"),
        (b"[1]", "must hold a JSON object. Received: list"),
    ],
)
def test_other_content_is_named(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=f"a.json ?{message}"):
        read_json_object(tmp_path / "a.json")


def test_byte_order_mark_is_no_part_of_the_object(tmp_path):
    (tmp_path / "a.json").write_text('{"n": 1}', encoding="utf-8-sig")
    assert read_json_object(tmp_path / "a.json") == {"n": 1}


def test_list_is_read(tmp_path):
    (tmp_path / "a.json").write_text('["Kleid, grün", 3]', encoding="utf-8")
    assert read_json_list(tmp_path / "a.json") == ["Kleid, grün", 3]
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="a.json must hold a JSON list. Received: dict"):
        read_json_list(tmp_path / "a.json")
