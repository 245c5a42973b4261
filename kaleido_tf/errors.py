"""The one error class that a user's input can cause."""

import re


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message says what was needed, what came, and where (file, line or record number, product
    id). Commands print it without a stack trace and exit with status 1.
    """


def raised_inside(error: Exception) -> InputError | None:
    """The InputError that was raised in a Python function called by TensorFlow, which hands on its
    text alone.
    """
    found = re.search(r"InputError: (.*)", str(error))
    return InputError(found[1]) if found else None


def tensorflow_reason(error: Exception) -> str:
    """What an error of TensorFlow says of its cause, in one line and without the names of its
    nodes.
    """
    first = (str(getattr(error, "message", "") or error).strip() or "unknown").splitlines()[0]
    text = re.sub(r"\{\{[^{}]*\}\}\s*|\s*\[Op:\w+\]( name: ?)?", "", first)
    return text.strip()[:300]
