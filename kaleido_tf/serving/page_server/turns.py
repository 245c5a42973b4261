"""So many at once, the others in a queue: threads that answer are cheap, what they compute is
not.
"""

import contextlib
import threading
from collections.abc import Iterator
from http import HTTPStatus

from kaleido_tf.serving.page_server.exchange import Refusal


class Turns:
    """Args: count: that may work at once. seconds: that one waits at most."""

    def __init__(self, count: int, seconds: float):
        self._places, self._seconds = threading.Semaphore(count), seconds

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a place. Raises: Refusal (503) where none becomes free in time."""
        if not self._places.acquire(timeout=self._seconds):
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Too much is asked at once. Try again in a moment",
                {"Retry-After": "5"},
            )
        try:
            yield
        finally:
            self._places.release()
