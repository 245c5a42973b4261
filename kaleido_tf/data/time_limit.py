"""A dataset whose elements must come in time: TensorFlow waits for them without end."""

import atexit
import queue
import threading
import time
from collections.abc import Callable

import tensorflow as tf

_AHEAD = 2
"""Elements that are read before they are asked for."""
_PAUSE = 0.2  # seconds between two looks at whether anybody still needs what is waited for
_END = object()
_leaving = threading.Event()
_waiting: set[int] = set()
"""Threads in which somebody waits for an element."""


@atexit.register
def _leave() -> None:
    """Who waits for an element when Python ends could never go on, and TensorFlow, which waits for
    them, would hold up the process.
    """
    _leaving.set()
    deadline = time.monotonic() + 10 * _PAUSE
    while _waiting and time.monotonic() < deadline:
        time.sleep(_PAUSE / 10)


def in_time(
    dataset: tf.data.Dataset, seconds: float, too_late: Callable[[], Exception]
) -> tf.data.Dataset:
    """The same elements, read by a thread of their own, which ends with the iteration; one that
    still waits for an element then, only when that comes.

    Raises (when run): `too_late()`, inside of one of TensorFlow's errors, where an element does not
      come within `seconds` of being asked for.
    """

    def elements():
        read: queue.Queue = queue.Queue(_AHEAD)
        ended = threading.Event()
        reader = threading.Thread(target=_read, args=(dataset, read, ended), daemon=True)
        reader.start()
        try:
            while True:
                try:
                    element = _next(read, seconds)
                except queue.Empty:
                    raise too_late() from None
                if element is _END:
                    return
                if isinstance(element, Exception):
                    raise element
                yield element
        finally:
            ended.set()

    return tf.data.Dataset.from_generator(elements, output_signature=dataset.element_spec)


def _next(read, seconds):
    """The next element, or the end if Python ends. Raises: queue.Empty if it is not in time."""
    deadline = time.monotonic() + seconds
    _waiting.add(threading.get_ident())
    try:
        while not _leaving.is_set():
            left = deadline - time.monotonic()
            try:
                return read.get(timeout=max(0, min(left, _PAUSE)))
            except queue.Empty:
                if left <= _PAUSE:
                    raise
        return _END
    finally:
        _waiting.discard(threading.get_ident())


def _read(dataset, read, ended) -> None:
    """Puts the elements into the queue, and after them the end or the error that ended them."""
    try:
        for element in dataset:
            if not _put(element, read, ended):
                return
        last = _END
    except Exception as error:  # whatever it is, it is raised where the elements are asked for
        last = error
    _put(last, read, ended)


def _put(element, read, ended) -> bool:
    """Whether somebody still wanted it."""
    while not ended.is_set():
        try:
            read.put(element, timeout=_PAUSE)
            return True
        except queue.Full:
            pass
    return False
