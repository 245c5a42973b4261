"""Who writes the shards of records: `--runner`. All write the same bits.

local: this process, with all cores of the machine. beam: the workers of Apache Beam.
"""

import importlib
import logging
from collections.abc import Sequence

from data_prep.record_writing.local_runner import LocalRunner
from data_prep.record_writing.split_shards import ShardRunner
from kaleido_tf.errors import InputError

RUNNERS = ("local", "beam")


def build_runner(name: str, beam_options: Sequence[str] = ()) -> ShardRunner:
    """The runner `name` of `RUNNERS`. Args: beam_options: each as Beam takes it on a command line.

    Raises: InputError for options without Beam, for Beam where it is not installed, and for options
      that it does not take.
    """
    if name == "local":
        if beam_options:
            raise InputError(
                "--beam_options belong to --runner=beam. Received: --runner=local,"
                f" --beam_options={','.join(beam_options)}"
            )
        return LocalRunner()
    _import_beam()
    from data_prep.record_writing.beam_runner import BeamRunner

    return BeamRunner(beam_options)


def _import_beam() -> None:
    """Raises: InputError that says how to install it."""
    logging.disable(logging.WARNING)  # it warns of every cloud whose libraries are not there
    try:
        importlib.import_module("apache_beam")
    except ImportError as error:
        raise InputError(
            f'--runner=beam needs Apache Beam: pip install -e ".[beam]". Received: {error}'
        ) from error
    finally:
        logging.disable(logging.NOTSET)
