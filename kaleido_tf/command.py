"""How every command ends: bad input prints one message, without a stack trace, and exits with
status 1.
"""

import logging
import sys
from collections.abc import Callable

from absl import app

from kaleido_tf.errors import InputError
from kaleido_tf.files.flag_files import with_flag_files


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
        main(argv)

    try:
        app.run(checked, flags_parser=_parse_flags)
    except InputError as error:
        # What libraries warn of while they are torn down (TensorFlow: every value of a checkpoint
        # that went unused) would bury it.
        logging.disable(logging.WARNING)
        sys.exit(f"error: {error}")


def _parse_flags(argv: list[str]) -> list[str]:
    return app.parse_flags_with_usage([argv[0], *with_flag_files(argv[1:])])
