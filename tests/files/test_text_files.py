import codecs
import pathlib
import re

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import open_text, read_lines, read_text

TEXT = "Röcke\r\nKleider\u2028weiß\x85\n"
MARK = codecs.BOM_UTF8


@pytest.mark.parametrize("mark", [b"", MARK])
def test_mark_is_no_part_of_the_content(tmp_path, mark):
    path = tmp_path / "a.txt"
    path.write_bytes(mark + TEXT.encode())
    assert read_text(path) == TEXT
    assert read_lines(path) == ["Röcke", "Kleider\u2028weiß\x85"]
    with open_text(path) as stream:
        assert stream.readline() == "Röcke\r\n".encode()


def test_mark_within_the_text_is_kept(tmp_path):
    (tmp_path / "a.txt").write_bytes(MARK + MARK + b"a" + MARK)
    assert read_text(tmp_path / "a.txt") == "\ufeffa\ufeff"


@pytest.mark.parametrize("content, lines", [(b"", []), (MARK, []), (b"a", ["a"]), (b"\n", [""])])
def test_short_files(tmp_path, content, lines):
    (tmp_path / "a.txt").write_bytes(content)
    assert read_lines(tmp_path / "a.txt") == lines


@pytest.mark.parametrize(
    "content, message",
    [
        ("Rock".encode("utf-16"), r"a.txt: text in UTF-8 is needed. Received: UTF-16 \(.*FF FE 52"),
        (codecs.BOM_UTF16_BE + "Rock".encode("utf-16-be"), "Received: UTF-16 .*Save it as UTF-8"),
        ("Rock".encode("utf-32"), "Received: UTF-32"),
        ("Rock".encode("utf-16-le"), "Received: UTF-16 without a mark"),
        ("Röcke".encode("cp1252"), "a.txt: text in UTF-8 is needed. Received: .*0xf6"),
    ],
)
def test_other_encodings_are_named(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_text(tmp_path / "a.txt")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nothing.txt cannot be read: No such file"):
        read_lines(tmp_path / "nothing.txt")


def test_every_text_file_is_read_here():
    root = pathlib.Path(__file__).parents[2]
    sources = [
        *root.glob("*.py"),
        *root.glob("kaleido_tf/**/*.py"),
        *root.glob("data_prep/**/*.py"),
    ]
    others = [
        f"{path.relative_to(root)} line {number}"
        for path in sources
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(
            r'\.read_text\(|(?<!Image\.)(?<!archive\.)(?<!os\.)\bopen\((?!.*"(rb|wb|ab|r\+b|w|a)")[^)]*\)',
            line,
        )
        and path.name not in ("text_files.py", "images.py")
    ]
    assert not others
