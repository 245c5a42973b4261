"""The files that a `*_input_fp` flag names: a file, a glob, a directory, or a list file as the
original writes it.
"""

import fnmatch
import glob
import os
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.files.file_names import present_form
from kaleido_tf.files.listed_shards import present_shards, shard_counts
from kaleido_tf.files.text_files import read_lines

LIST_SUFFIXES = (".list_csv", ".list_tfrecord")


def find_files(pattern: str, suffixes: tuple[str, ...] = (".tfrecord",)) -> list[str]:
    """The files behind `pattern`, in order: of a list file as listed, else by name.

    A list file (`.list_csv`, `.list_tfrecord`) has one path a line, relative to itself or to the
    working directory, and may begin with a count. Blank lines and lines of digits are no paths.
    Where a folder's `dataset.json` lists its shards, a folder or a glob means these and no other
    files. A file or folder that is called like a glob wins over it.
    Args: suffixes: which files of a directory count.
    Raises: InputError if nothing is there, or a listed shard is missing, broken or empty.
    """
    path = pathlib.Path(pattern)
    if path.is_dir():
        files = _files_in(path, suffixes)
        if not files:
            kinds = " or ".join(f"*{suffix}" for suffix in suffixes)
            raise InputError(
                f"A directory of record shards ({kinds}) is needed. None in: {pattern}"
            )
        return files
    if path.is_file():
        return _listed_files(path) if is_list_file(pattern) else [str(path)]
    files = _matching_files(str(pattern))
    if not files:
        link = " (a broken link)" if path.is_symlink() else ""
        raise InputError(
            "Records are needed (a file, a glob, a directory or a list file). Nothing matches:"
            f" {pattern!r}{link}"
        )
    return files


def _files_in(folder: pathlib.Path, suffixes: tuple[str, ...]) -> list[str]:
    shards = shard_counts(folder) if ".tfrecord" in suffixes else None
    if shards is not None:
        return present_shards(folder, shards)
    return visible_files(folder, suffixes)


def _matching_files(pattern: str) -> list[str]:
    """Of each folder that a glob leads to, the listed shards that it matches; of a folder without
    such, its files.
    """
    above, name = os.path.split(literal_prefix(pattern))
    files = []
    for folder in sorted(glob.glob(above)) if above else [""]:
        shards = shard_counts(folder or ".") or {}
        listed = [shard for shard in shards if fnmatch.fnmatchcase(shard, name)]
        if listed:
            files += present_shards(folder, listed)
            continue
        matches = sorted(glob.glob(os.path.join(glob.escape(folder), name)))
        files += [
            file for file in matches if os.path.isfile(file) and not file.endswith(".partial")
        ]
    return files


def literal_prefix(pattern: str) -> str:
    """A glob whose leading folders, as far as they exist by these very names, stand for themselves:
    `run[1]/*.tfrecord` is a glob below the folder `run[1]`, if there is one.
    """
    path = pathlib.Path(pattern)
    for folder in path.parents:  # the longest first
        if folder.is_dir():
            rest = path.relative_to(folder)
            return os.path.join("" if folder == pathlib.Path() else glob.escape(str(folder)), rest)
    return pattern


def visible_files(folder: str | os.PathLike, suffix: str | tuple[str, ...]) -> list[str]:
    """The paths of a folder's files that end in `suffix` (one or several), by name. Hidden ones
    (`._x`, which macOS leaves beside `x` on foreign disks) are left out.
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
    """Whether `pattern` names a list of files and not files of examples, by its ending."""
    return str(pattern).endswith(LIST_SUFFIXES)


def _lines(path: pathlib.Path) -> list[str]:
    return [line.strip() for line in read_lines(path)]


def _is_count(line: str) -> bool:
    return line.isascii() and line.isdigit()


def _listed_files(path: pathlib.Path) -> list[str]:
    names = [line for line in _lines(path) if line and not _is_count(line)]
    if not names:
        raise InputError(f"A list file needs one path a line. Received an empty list: {path}")
    files = []
    for name in map(os.path.expanduser, names):
        places = [pathlib.Path(present_form(str(p))) for p in (path.parent / name, name)]
        there = next((place for place in places if place.is_file()), None)
        if there is None:
            raise InputError(
                f"{path} lists {name}, which is neither beside it nor in the working directory"
            )
        files.append(str(there))
    return files
