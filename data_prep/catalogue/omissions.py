"""What a reader leaves out of a catalogue, by one rule for all sources: it stops at what is no
product, or goes on and lists why.
"""

import contextlib
from collections.abc import Iterator

from kaleido_tf.errors import InputError


class Omissions:
    """The unusable lines, rows or products of a source, in its order.

    Args: skip: False stops at the first.
    """

    def __init__(self, skip: bool):
        self._skip = skip
        self._reasons: list[str] = []

    @property
    def reasons(self) -> tuple[str, ...]:
        """One a line, row or product that was left out."""
        return tuple(self._reasons)

    @contextlib.contextmanager
    def listed(self) -> Iterator[None]:
        """Ends the block at its first InputError, which is listed, or goes on upwards if nothing is
        to be skipped.
        """
        try:
            yield
        except InputError as error:
            if not self._skip:
                raise
            self._reasons.append(str(error))

    def nothing_left(self, unit: str, kind: str, source: str) -> InputError:
        """The error of a source (`kind`: what it is) without any usable `unit`; it names the first
        reason.
        """
        first = f" that can be used (the first: {self._reasons[0]})" if self._reasons else ""
        return InputError(
            f"Needed: at least one {unit}. Received: {kind} without any{first}. Where: {source}."
        )
