"""Files that appear whole or not at all: written beside their place, then renamed into it."""

import contextlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterator

from kaleido_tf.errors import InputError


def write_whole(path: str | os.PathLike, content: str | bytes) -> None:
    """Writes a file (text as UTF-8). Raises: InputError if the disk refuses."""
    with appears_whole(path) as partial:
        partial.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def check_writable(folder: str | os.PathLike) -> None:
    """Sees whether files can be made in a folder, before the work whose result is to lie there.

    A folder that is not there is made and taken away again: a command that then refuses its other
    input leaves nothing.
    Raises: InputError if not.
    """
    folder = pathlib.Path(folder)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    probe = folder / ".writable.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"A folder to write into is needed. Received: {folder} ({error.strerror})"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # never made, or another process has begun to fill it
            for path in missing:
                path.rmdir()


@contextlib.contextmanager
def appears_whole(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """The place to write a file or folder to, beside `path`; it is renamed to `path` when the block
    ends well.

    Missing folders above it are made. If the block fails, nothing is left.
    Raises: InputError if the disk refuses.
    """
    with _aside(pathlib.Path(path)) as partial:
        yield partial
        os.replace(partial, path)


@contextlib.contextmanager
def appear_together(path: str | os.PathLike, last: str = "") -> Iterator[pathlib.Path]:
    """A new folder to write files to, named after `path`; when the block ends well, all of them are
    renamed into the folder of `path`, in the order of their names.

    Args: last: the ending of those that come after the others, since they make them count.
    Raises: InputError if the disk refuses; before any is renamed, where it can be known.
    """
    path = pathlib.Path(path)
    with _aside(path) as partial:
        partial.mkdir()
        yield partial
        files = sorted(partial.iterdir(), key=lambda file: (_ends(file, last), file.name))
        for file in files:
            if (path.parent / file.name).is_dir():
                raise IsADirectoryError(f"{path.parent / file.name} is a folder")
        for file in files:
            os.replace(file, path.parent / file.name)
        partial.rmdir()


def _ends(file: pathlib.Path, ending: str) -> bool:
    return bool(ending) and file.name.endswith(ending)


@contextlib.contextmanager
def _aside(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A place beside `path` that is empty at first and gone if the block fails."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)  # of a process that was killed
        yield partial
    except OSError as error:
        _remove(partial)
        raise InputError(f"{path} could not be written: {error}") from error
    except BaseException:
        _remove(partial)
        raise


def _remove(partial: pathlib.Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            partial.unlink()


def write_json(path: pathlib.Path, content) -> None:
    """Writes JSON beside `path`, then renames it into place."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes a file beside `path`, then renames it into place. Raises: InputError if its folder is
    missing or the disk refuses.
    """
    if not path.parent.is_dir():  # folders are made when they are claimed
        raise InputError(f"{path} could not be written: there is no folder {path.parent}")
    write_whole(path, content)
