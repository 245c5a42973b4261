"""The one error class that a user's input can cause."""

import contextlib
import re
from collections.abc import Iterator


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message says what was needed, what came, and where (file, line or record number, product
    id). Commands print it without a stack trace and exit with status 1.
    """


def raised_inside(error: BaseException) -> InputError | None:
    """The InputError behind an error of TensorFlow's; None if there is none.

    What Python code raises while a function is traced, or inside a tf.data function, comes back as
    an error of another class, which hands on its text alone.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return cause
        cause = cause.__cause__
    match = re.search(r"InputError: (.*)", str(error))
    return InputError(match[1]) if match else None


@contextlib.contextmanager
def input_errors_as_themselves() -> Iterator[None]:
    """Raises InputErrors that TensorFlow has wrapped as what they were."""
    try:
        yield
    except Exception as error:
        inside = raised_inside(error)
        if inside is None or inside is error:
            raise
        raise inside from error


def tensorflow_reason(error: Exception) -> str:
    """What an error of TensorFlow says of its cause, in one line and without the names of its
    nodes.
    """
    first = (str(getattr(error, "message", "") or error).strip() or "unknown").splitlines()[0]
    text = re.sub(r"\{\{[^{}]*\}\}\s*|\s*\[Op:\w+\]( name: ?)?", "", first)
    return text.strip()[:300]
