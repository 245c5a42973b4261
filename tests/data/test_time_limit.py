import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.data.time_limit import in_time
from kaleido_tf.errors import InputError

SPEC = {"number": tf.TensorSpec([None], tf.int64), "name": tf.TensorSpec([], tf.string)}


def elements(count, before=lambda number: None):
    """A dataset of so many; `before` is called before each."""

    def each():
        for number in range(count):
            before(number)
            yield {"number": np.arange(number), "name": f"e{number}"}

    return tf.data.Dataset.from_generator(each, output_signature=SPEC)


def limited(dataset, seconds=20.0):
    return in_time(dataset, seconds, lambda: InputError("nothing came"))


def test_elements_are_the_same_in_every_pass():
    dataset = limited(elements(4))
    assert dataset.element_spec == SPEC
    for _ in range(2):
        found = list(dataset.as_numpy_iterator())
        assert [one["name"] for one in found] == [b"e0", b"e1", b"e2", b"e3"]
        assert [one["number"].tolist() for one in found] == [[], [0], [0, 1], [0, 1, 2]]


def test_what_does_not_come_in_time_is_refused():
    never = threading.Event()
    stuck = elements(4, lambda number: never.wait() if number == 2 else None)
    iterator = iter(limited(stuck, seconds=0.5))
    assert [next(iterator)["name"].numpy() for _ in range(2)] == [b"e0", b"e1"]
    with pytest.raises(tf.errors.OpError, match="InputError: nothing came"):
        next(iterator)
    never.set()


def test_an_error_comes_after_what_was_read_before_it():
    def fail(number):
        if number == 1:
            raise InputError("record 1 is damaged")

    iterator = iter(limited(elements(3, fail)))
    assert next(iterator)["name"].numpy() == b"e0"
    with pytest.raises(tf.errors.OpError, match="record 1 is damaged"):
        next(iterator)


def test_who_stops_asking_ends_the_reading():
    before = set(threading.enumerate())
    for _ in limited(elements(1000)):
        break
    readers = [t for t in threading.enumerate() if t not in before and "_read" in t.name]
    for thread in readers:
        thread.join(10)
    assert not any(thread.is_alive() for thread in readers)


STUCK = """
import time
import tensorflow as tf
from kaleido_tf.data.time_limit import in_time

def slow(n):
    time.sleep(99 * int(n))
    return n

slow = tf.data.Dataset.range(3).map(lambda n: tf.py_function(slow, [n], tf.int64))
kept = [iter(in_time(slow, 60, ValueError).prefetch(2))]
kept.append(kept)
print(int(next(kept[0])), flush=True)
time.sleep(1)
"""


def test_who_waits_when_python_ends_does_not_hold_it_up():
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"0\n")
