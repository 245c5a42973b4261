"""How every command ends: bad input prints one message, without a stack trace, and exits with status 1."""

import sys
from collections.abc import Callable

from absl import app

from kaleido_tf.errors import InputError


def run_command(main: Callable[[list[str]], None]) -> None:
    """Parses flags and runs `main`, which takes no arguments beside flags."""

    def checked(argv):
        if len(argv) > 1:
            raise InputError(f"Arguments are flags (--name=value). Received: {argv[1]}")
        main(argv)

    try:
        app.run(checked)
    except InputError as error:
        sys.exit(f"error: {error}")
