"""Text files as people have them: in UTF-8, with or without its byte-order mark, with any line end.

The mark (EF BB BF, which Windows programs put first) is no part of the content. Other encodings are
refused by name, since bytes cannot be read as what they were not written as.
"""

import codecs
import os
import pathlib
from typing import BinaryIO

from kaleido_tf.errors import InputError

_OTHER_MARKS = {  # the longer ones first: the mark of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_text(path: str | os.PathLike) -> str:
    """The content of a text file, without its mark; line ends as they are in the file.

    Raises: InputError naming the file if it cannot be opened or is not UTF-8.
    """
    with open_text(path) as stream:
        return decoded(stream.read(), str(path))


def read_lines(path: str | os.PathLike) -> list[str]:
    """The lines of a text file, without their ends: LF or CR LF and nothing else, since a line of
    JSON may hold U+2028.

    The end of the last line begins no further one. Raises: InputError as `read_text`.
    """
    lines = read_text(path).split("\n")
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def open_text(path: str | os.PathLike, kind: str = "text file") -> BinaryIO:
    """A text file opened for its bytes, standing after its mark: for those who read line by line.

    Args: kind: what the file is to be, for messages.
    Raises: InputError naming the file if it cannot be opened or is marked as of another encoding.
    """
    try:
        stream = pathlib.Path(path).open("rb")  # noqa: SIM115 (the caller's to close)
    except OSError as error:
        raise InputError(f"A {kind} is needed. {path} cannot be read: {error.strerror}") from error
    try:
        stream.seek(skipped_mark(stream.read(4), path))
    except BaseException:
        stream.close()
        raise
    return stream


def skipped_mark(start: bytes, path: str | os.PathLike) -> int:
    """How many of a file's first bytes (4 or more of them) are the mark of UTF-8: 3 or 0.

    Raises: InputError naming the file for the mark of another encoding, or a zero byte, which text
      in UTF-16 has in every other place.
    """
    encoding = next((name for mark, name in _OTHER_MARKS.items() if start.startswith(mark)), None)
    if encoding is None and b"\0" in start[:4]:
        encoding = "UTF-16 without a mark, or no text"
    if encoding:
        raise InputError(
            f"{path}: text in UTF-8 is needed. Received: {encoding} (it begins with the bytes"
            f" {start[:4].hex(' ').upper()}). Save it as UTF-8"
        )
    return len(codecs.BOM_UTF8) if start.startswith(codecs.BOM_UTF8) else 0


def decoded(content: bytes, where: str) -> str:
    """`content` from UTF-8. Raises: InputError with `where` if it is something else."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: text in UTF-8 is needed. Received: {error}") from error
