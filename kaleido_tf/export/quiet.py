"""Keeps what libraries note while they write a model from what a command says."""

import contextlib
import logging
from collections.abc import Iterator

from absl import logging as absl_logging


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Notes and warnings are left out; errors are not."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx")]
    levels, verbosity = [logger.level for logger in loggers], absl_logging.get_verbosity()
    absl_logging.set_verbosity(absl_logging.ERROR)
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        absl_logging.set_verbosity(verbosity)
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
