"""Examples made by the workers of a tf.data service (`python -m kaleido_tf.data_service`), for
trainers whose own cores are too few for it.

What is drawn (sampling.py) stays with the trainer, since it is NumPy and cannot be sent. Of every
block of shards the trainer sends what it has drawn; a worker reads the shards and makes the
examples. A block is a job of its own, whose dataset has one element at its source: with dynamic
sharding exactly one worker takes it, and its examples come once and in their order, however many
workers there are. So a run through a service has the numbers of one without, and can be stopped and
resumed anywhere.

No job has a name: two trainers that shared one would each be given a part of its examples. Trainers
with the same settings each have every example, at the cost of making it once for each of them.
"""

import dataclasses
import functools
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from kaleido_tf.data.block_rows import BlockRows
from kaleido_tf.data.time_limit import in_time
from kaleido_tf.errors import InputError, tensorflow_reason

TRANSFER = 32
"""Examples that a worker sends at once."""
PATIENCE = 10
"""Timeouts that examples may take to come: a lost worker may be started again, and the first of a
block take long.
"""
_PAUSE = 0.2  # seconds between two looks at whether the dispatcher listens
_BY_BLOCK = tf.data.experimental.service.ShardingPolicy.DYNAMIC


@dataclasses.dataclass(frozen=True)
class DataService:
    """A tf.data service.

    Attributes: address: host:port of its dispatcher. streams: jobs that share the examples of a
      block, each of which reads all of the block's shards. timeout: seconds until one that does
      not answer is given up; examples may take `PATIENCE` times as long.
    """

    address: str
    streams: int = 1
    timeout: int = 60

    def check(self) -> None:
        """Raises: InputError unless the dispatcher answers and has a worker whose data arrive."""
        self._check_listening()
        answer: dict[str, object] = {}

        def ask():
            try:
                number = self._register(tf.data.Dataset.range(1))
                answer["registered"] = True
                spec = tf.TensorSpec([], tf.int64)
                answer["came"] = [each.numpy() for each in self._read(number, 1, spec)]
            except tf.errors.OpError as error:
                answer["error"] = tensorflow_reason(error)

        # TensorFlow sets no end to any of it
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(self.timeout)
        if answer.get("came") == [0]:
            return
        raise InputError(
            f"--data_service needs {_missing(answer)} that answers within --data_service_timeout="
            f"{self.timeout} seconds. Received: {answer.get('error', 'nothing')} ({self.address})"
        )

    def examples(
        self, rows: BlockRows, make: Callable[[tf.data.Dataset], tf.data.Dataset]
    ) -> tf.data.Dataset:
        """`make(rows.dataset())`, made by the service.

        Args: make: a dataset of blocks to one of examples, without Python functions in it.
        Raises (when run): an error of TensorFlow's with `tf.errors.FailedPreconditionError` in its
          text if examples are missing, since a worker was lost; with an InputError if the
          dispatcher is gone, or no examples come.
        """
        spec = make(rows.dataset()).batch(TRANSFER).element_spec

        # Traced once, or every block would cost the trainer a part of a second.
        @functools.partial(tf.function, input_signature=[rows.signature], autograph=False)
        def register(block):
            return self._register(make(tf.data.Dataset.from_tensors(block)).batch(TRANSFER))

        def jobs():
            for block in rows.blocks():
                for stream in self._dealt(block):
                    self._check_listening()
                    job = register({name: tf.constant(v) for name, v in stream.items()})
                    yield job.numpy(), -(-len(stream["position"]) // TRANSFER)

        signature = (tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int64))
        dataset = tf.data.Dataset.from_generator(jobs, output_signature=signature)
        # What a worker is to do next it begins while the trainer reads what comes before.
        transfers = dataset.interleave(
            lambda number, count: self._read(number, count, spec),
            cycle_length=self.streams,
            block_length=1,
            num_parallel_calls=self.streams,
            deterministic=True,
        )
        return in_time(transfers, PATIENCE * self.timeout, self._no_examples).unbatch()

    def _no_examples(self) -> InputError:
        return InputError(
            f"--data_service={self.address} must give examples within {PATIENCE} times"
            f" --data_service_timeout={self.timeout} seconds. None came: a worker was lost (start"
            " it again, and the same command: the run goes on from its last checkpoint), or needs"
            " longer"
        )

    def _dealt(self, block: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        """A block as one a stream, each of which has every `streams`-th transfer."""
        transfers = np.arange(len(block["position"])) // TRANSFER
        for stream in range(self.streams):
            mine = transfers % self.streams == stream
            yield {name: v if name == "files" else v[mine] for name, v in block.items()}

    def _register(self, dataset: tf.data.Dataset) -> tf.Tensor:
        with warnings.catch_warnings():
            # that it reads the dataset's options, of which there are none
            warnings.simplefilter("ignore", UserWarning)
            # Float features cannot be compressed, and to try costs the cores that are short.
            return tf.data.experimental.service.register_dataset(
                self._target, dataset, compression=None
            )

    def _read(self, number, count, spec) -> tf.data.Dataset:
        """The `count` elements of a registered dataset."""
        dataset = tf.data.experimental.service.from_dataset_id(
            _BY_BLOCK, self._target, number, element_spec=spec
        )
        return dataset.apply(tf.data.experimental.assert_cardinality(count))

    @property
    def _target(self) -> str:
        return f"grpc://{self.address}"

    def _check_listening(self) -> None:
        wait_for_dispatcher(self.address, self.timeout, "--data_service", "--data_service_timeout")


def wait_for_dispatcher(address: str, timeout: int, flag: str, timeout_flag: str) -> None:
    """Returns when somebody listens at an address. Args: flag, timeout_flag: that named them.

    Raises: InputError if nobody does within `timeout` seconds.
    """
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise InputError(f"{flag} must be the host:port of a dispatcher. Received: {address}")
    deadline = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection((host, int(port)), timeout).close()
            return
        except (OSError, OverflowError) as error:
            if time.monotonic() + _PAUSE > deadline:
                raise InputError(
                    f"{flag} needs a dispatcher that answers within {timeout_flag}={timeout}"
                    f" seconds. Received: {error} ({address}). Start one: python -m"
                    f" kaleido_tf.data_service --role=dispatcher --port={port}"
                ) from error
        time.sleep(_PAUSE)


def _missing(answer: dict) -> str:
    if "registered" in answer:
        return "a worker (python -m kaleido_tf.data_service --role=worker --dispatcher=...)"
    return "a dispatcher"
