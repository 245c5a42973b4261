"""Flag files (`--flagfile=run_configs/x.cfg`): one flag a line, as absl reads them.

They are put in place here and not by absl, which opens them in the encoding of the machine and
takes a byte-order mark for the beginning of an argument.
"""

import os
from collections.abc import Iterator, Sequence

from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines

_NAMES = ("--flagfile", "-flagfile")


def with_flag_files(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command, each flag file replaced by the flags in it; what follows `--` is
    no flag.

    A line that begins with # or // is a comment; a flag file may name another.
    Raises: InputError for a file that cannot be read, that names itself, or `--flagfile` without
      any.
    """
    rest, expanded = list(arguments), []
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            return [*expanded, argument, *rest]
        if argument in _NAMES:
            if not rest:
                raise InputError(f"{argument} needs the path of a flag file. Received: nothing")
            argument = f"{argument}={rest.pop(0)}"
        expanded += _flags_of(argument, ())
    return expanded


def _flags_of(argument: str, above: tuple[str, ...]) -> Iterator[str]:
    name, _, path = argument.partition("=")
    if name not in _NAMES:
        yield argument
        return
    path = os.path.expanduser(path.strip())
    if path in above:
        raise InputError(f"A flag file names itself: {' -> '.join([*above, path])}")
    for line in read_lines(path) if path else ():
        flag = line.strip()
        if flag and not flag.startswith(("#", "//")):
            yield from _flags_of(flag, (*above, path))
