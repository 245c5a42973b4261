"""How every command begins and ends: `~` in its flags is the user's home, and bad input prints one
message, without a stack trace, and exits with status 1.
"""

import errno
import logging
import os
import pathlib
import sys
import sysconfig
from collections.abc import Callable

from absl import app, flags

from kaleido_tf.errors import InputError, raised_inside, tensorflow_reason
from kaleido_tf.files.file_names import present_form
from kaleido_tf.files.flag_files import with_flag_files

_PATHS = ("string", "multi string", "comma separated list of strings")
_NO_PATHS = ("product_id", "image_id", "split", "input_schema", "text", "like", "filter", "delete")
"""Flags of those types whose values are no paths, and may begin with any character."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSALS = (
    "No space left",
    "Disk quota exceeded",
    "Read-only file system",
    "Permission denied",
    "Operation not permitted",
    "Not a directory",
    "Input/output error",
)
"""How the operating system says in TensorFlow's errors that a file cannot be written."""
_PROGRAMS = (
    *(str(pathlib.Path(__file__).parents[1] / name) for name in ("kaleido_tf", "data_prep")),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib")),
)
"""Folders of programs, where nothing of the user's lies."""


def run_command(main: Callable[[list[str]], None], arguments: tuple[str, ...] = ()) -> None:
    """Parses flags and runs `main` with [program, *arguments].

    `arguments`: names of what the command needs beside flags, in their order; none of them may be
      left out.
    """

    def checked(argv):
        given = argv[1:]
        if len(given) > len(arguments):
            raise InputError(
                f"Arguments are flags (--name=value). Received: {given[len(arguments)]}"
            )
        if len(given) < len(arguments):
            raise InputError(
                f"Needed: {' '.join(arguments)}. Received: {' '.join(given) or 'nothing'}"
            )
        expand_home(flags.FLAGS)
        main(argv)

    try:
        app.run(checked, flags_parser=_parse_flags)
    except Exception as error:
        message = message_of(error)
        if message is None:
            raise
        # What libraries warn of while they are torn down (TensorFlow: every value of a checkpoint
        # that went unused) would bury it.
        logging.disable(logging.WARNING)
        sys.exit(f"error: {message}")


def _parse_flags(argv: list[str]) -> list[str]:
    return app.parse_flags_with_usage([argv[0], *with_flag_files(argv[1:])])


def expand_home(values: flags.FlagValues) -> None:
    """Replaces `~` and `~user` at the beginning of paths, which shells leave as they are after
    `--flag=`, and takes paths in the Unicode form that they have on the disk. In lists, and in
    strings that are lists by commas, of every part.
    """
    for name in values:
        flag = values[name]
        if flag.flag_type() not in _PATHS or name in _NO_PATHS or not flag.value:
            continue
        if isinstance(flag.value, str):
            flag.value = ",".join(map(_path_there, flag.value.split(",")))
        else:
            flag.value = [_path_there(part) for part in flag.value]


def _path_there(path: str) -> str:
    return present_form(os.path.expanduser(path))


def message_of(error: Exception) -> str | None:
    """The message that a command ends with, or None for what only a stack trace can explain.

    Beside InputError these are the operating system's refusals of a user's path, where nobody
    nearer to it had a better message.
    """
    inside = raised_inside(error)  # TensorFlow may have wrapped it
    if inside is not None:
        return str(inside)
    if isinstance(error, OSError):
        return _refusal(error)
    tensorflow = sys.modules.get("tensorflow")  # not imported for commands that do without
    if tensorflow and isinstance(error, tensorflow.errors.OpError):
        reason = tensorflow_reason(error)
        return reason if any(refusal in reason for refusal in _REFUSALS) else None
    return None


def _refusal(error: OSError) -> str | None:
    if error.errno in _FULL and not error.filename:
        return f"A file could not be written: {error.strerror}"
    if not isinstance(error.filename, str | bytes) or not error.strerror:
        return None
    path = os.fsdecode(error.filename)
    programs = tuple(f"{folder}{os.sep}" for folder in _PROGRAMS)
    own = os.path.abspath(path).startswith(programs)
    return None if own else f"{path} cannot be used: {error.strerror}"
