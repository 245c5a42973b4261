"""The files that a `*_input_fp` flag names: a file, a glob, a directory, or a list file as the
original writes it.
"""

import glob
import os
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines

LIST_SUFFIXES = (".list_csv", ".list_tfrecord")


def find_files(pattern: str, suffixes: tuple[str, ...] = (".tfrecord",)) -> list[str]:
    """The files behind `pattern`, in order: of a list file as listed, else by name.

    A list file (`.list_csv`, `.list_tfrecord`) has one path a line, relative to itself or to the
    working directory, and may begin with a count. Blank lines and lines of digits are no paths.
    Args: suffixes: which files of a directory count.
    Raises: InputError if nothing is there.
    """
    path = pathlib.Path(pattern)
    if path.is_dir():
        found = sorted(
            str(file) for file in path.iterdir() if file.name.endswith(suffixes) and file.is_file()
        )
        if not found:
            wanted = " or ".join(f"*{suffix}" for suffix in suffixes)
            raise InputError(
                f"A directory of record shards ({wanted}) is needed. None in: {pattern}"
            )
        return found
    if path.is_file():
        return _listed_files(path) if is_list_file(pattern) else [str(path)]
    found = sorted(file for file in glob.glob(str(pattern)) if os.path.isfile(file))
    if not found:
        raise InputError(
            "Records are needed (a file, a glob, a directory or a list file). Nothing matches:"
            f" {pattern!r}"
        )
    return found


def visible_files(folder: str | os.PathLike, suffix: str) -> list[str]:
    """The paths of a folder's files that end in `suffix`, by name. Hidden ones (`._x`, which macOS
    leaves beside `x` on foreign disks) are left out.
    """
    return sorted(
        str(file)
        for file in pathlib.Path(folder).iterdir()
        if file.name.endswith(suffix) and not file.name.startswith(".") and file.is_file()
    )


def listed_count(pattern: str) -> int | None:
    """The number of examples that the first line of a list file says; None without one (R7 of the
    original's reader).
    """
    path = pathlib.Path(pattern)
    first = _lines(path)[:1] if is_list_file(pattern) and path.is_file() else []
    return int(first[0]) if first and _is_count(first[0]) else None


def is_list_file(pattern: str) -> bool:
    return str(pattern).endswith(LIST_SUFFIXES)


def _lines(path: pathlib.Path) -> list[str]:
    return [line.strip() for line in read_lines(path)]


def _is_count(line: str) -> bool:
    return line.isascii() and line.isdigit()


def _listed_files(path: pathlib.Path) -> list[str]:
    names = [line for line in _lines(path) if line and not _is_count(line)]
    if not names:
        raise InputError(f"A list file needs one path a line. Received an empty list: {path}")
    found = []
    for name in names:
        places = [path.parent / name, pathlib.Path(name)]
        there = next((place for place in places if place.is_file()), None)
        if there is None:
            raise InputError(
                f"{path} lists {name}, which is neither beside it nor in the working directory"
            )
        found.append(str(there))
    return found
