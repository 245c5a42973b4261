"""A command as one of several workers: only the first one, the chief, writes and prints.

The others do the same work on copies: what they would write goes to a folder of their own that is
taken away at the end. Into it the files of the run are linked first, so that they find its last
checkpoint and settings.
"""

import contextlib
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator

from absl import flags, logging

from kaleido_tf.command_line.setting_flags import read_settings
from kaleido_tf.errors import InputError
from kaleido_tf.training.cluster import Cluster, WorkerConfig, find_cluster

TRAINING = ("train", "train_and_evaluate")
"""Values of --mode that several workers share."""


def read_cluster() -> Cluster | None:
    """The workers that TF_CONFIG or the flags describe; None: this process works alone. Raises:
    InputError as `find_cluster`.
    """
    return find_cluster(read_settings(WorkerConfig), os.environ.get("TF_CONFIG"))


@contextlib.contextmanager
def as_worker() -> Iterator[None]:
    """What a command does within is done as one of the workers, if there are several.

    Raises: InputError if they are to do what one does alone, or without data of the user's.
    """
    cluster = read_cluster()
    if cluster is None:
        yield
        return
    values = flags.FLAGS
    if values.mode not in TRAINING or not values.train_input_fp or not values.model_dir:
        raise InputError(
            f"Several workers train together (--mode={' or '.join(TRAINING)} with --train_input_fp"
            " and --model_dir); everything else one does alone, without --worker_hosts and"
            f" TF_CONFIG. Received: --mode={values.mode} for {len(cluster.hosts)} workers"
        )
    values.workerCount = len(cluster.hosts)  # of TF_CONFIG: flags.cfg keeps it
    with contextlib.nullcontext() if cluster.is_chief else _on_copies(cluster):
        yield
        _leave_together(cluster)


@contextlib.contextmanager
def _on_copies(cluster: Cluster) -> Iterator[None]:
    values = flags.FLAGS
    kept = values.model_dir, values.output_dir
    print(
        f"worker {cluster.index + 1} of {len(cluster.hosts)}, {cluster.hosts[cluster.index]}:"
        f" {cluster.hosts[0]} prints and writes",
        flush=True,
    )
    logging.set_verbosity(logging.WARNING)
    with (
        tempfile.TemporaryDirectory(prefix="worker_", ignore_cleanup_errors=True) as scratch,
        open(os.devnull, "w") as nothing,
        contextlib.redirect_stdout(nothing),
    ):
        values.model_dir = os.path.join(scratch, "model")
        link_files(kept[0], values.model_dir)
        values.output_dir = kept[1] and os.path.join(scratch, "output")
        try:
            yield
        finally:
            values.model_dir, values.output_dir = kept


def link_files(folder: str, other: str) -> None:
    """Links every file below `folder` at the same place below `other`; folders are made anew. What
    is written there later, aside and then renamed, as all files are, takes the place of the link.
    """
    os.makedirs(other, exist_ok=True)
    for place, _, names in os.walk(folder):
        there = pathlib.Path(other, os.path.relpath(place, folder))
        there.mkdir(exist_ok=True)
        for name in names:
            (there / name).symlink_to(os.path.abspath(os.path.join(place, name)))


def _leave_together(cluster: Cluster) -> None:
    """Waits until the others are done, too: the chief's end would be an error to them."""
    if "tensorflow" in sys.modules:
        from kaleido_tf.training.worker_strategy import wait_for_all

        wait_for_all("end", cluster)
