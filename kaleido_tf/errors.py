"""The one error class that a user's input can cause."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message says what was needed, what came, and where (file, line or record number, product id).
    Commands print it without a stack trace and exit with status 1.
    """
