"""A run's data made by a tf.data service."""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.training.data_service_config import DataServiceConfig

_MISSING = "Input dataset was expected to contain"
"""What TensorFlow says of a worker's part of the examples that has an end too early."""


def through_service(data: Any, service: DataServiceConfig) -> Any:
    """Examples of a run (training/run.py), or None, as the run is to read them.

    Raises: InputError for data that no service can read, and a service that does not answer.
    """
    if data is None or service.address is None:
        return data
    if not hasattr(data, "through_service"):
        raise InputError(
            "--data_service makes examples of pre-training, recognition and captioning from records"
            f" ({data.describe()} are read by the run itself). Received:"
            f" --data_service={service.address}"
        )
    return data.through_service(service.address, service.streams, service.timeout)


@contextlib.contextmanager
def lost_examples_as_input_errors(service: DataServiceConfig) -> Iterator[None]:
    """Raises: InputError for examples that did not come, since their worker is gone."""
    try:
        yield
    except tf.errors.OpError as error:
        if service.address is None or _MISSING not in str(error):
            raise
        raise InputError(
            f"--data_service={service.address} must keep its workers to the end of a run. One of"
            " them is lost: start the same command again, and the run goes on from its last"
            " checkpoint"
        ) from error
