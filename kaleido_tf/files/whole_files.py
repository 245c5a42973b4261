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
    """Makes a folder and sees whether files can be made in it, before the work whose result is to
    lie there.

    Raises: InputError if not.
    """
    probe = pathlib.Path(folder) / ".writable.partial"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"A folder to write into is needed. Received: {folder} ({error})"
        ) from error


@contextlib.contextmanager
def appears_whole(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """The place to write a file or folder to, beside `path`; it is renamed to `path` when the block
    ends well.

    Missing folders above it are made. If the block fails, nothing is left.
    Raises: InputError if the disk refuses.
    """
    path = pathlib.Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)  # of a process that was killed
        yield partial
        os.replace(partial, path)
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
