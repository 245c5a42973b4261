"""A command as one of several workers: only the first one, the chief, writes and prints.

The others do the same work on copies: what they would write goes to a folder of their own that is
taken away at the end. Into it the files of the run are linked first, so that they find its last
checkpoint and settings.
"""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from absl import flags, logging

from kaleido_tf.command_line.setting_flags import read_settings
from kaleido_tf.errors import InputError
from kaleido_tf.settings import settings_of
from kaleido_tf.training.cluster import Cluster, WorkerConfig, find_cluster
from kaleido_tf.training.run_config import DeviceConfig, RunConfig

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
    from kaleido_tf.training.worker_strategy import wait_for_all

    values.workerCount = len(cluster.hosts)  # of TF_CONFIG: flags.cfg keeps it
    with contextlib.nullcontext() if cluster.is_chief else _on_copies(cluster):
        _connect(cluster)
        yield
        # the chief's end would be an error to who is still at work, or hears that all are done
        wait_for_all("end", cluster)
        with contextlib.suppress(InputError):
            wait_for_all("left", cluster)


def _connect(cluster: Cluster) -> None:
    """Meets the others, who must have the same settings and go on from the same checkpoint."""
    # TensorFlow takes seconds, which who trains alone or asks for --help need not wait for here
    from kaleido_tf.training.checkpoints import find_checkpoint
    from kaleido_tf.training.worker_strategy import connect

    run = read_settings(RunConfig, device=read_settings(DeviceConfig, cluster=cluster))
    facts = {f"--{s.flag}": getattr(run, name) for name, s in settings_of(RunConfig).items()}
    del facts["--model_dir"]  # a folder may have another name elsewhere
    latest = find_checkpoint(run.model_dir)
    facts |= {
        "--precision": run.device.precision,
        "checkpoint in --model_dir, which must be one folder that all can read": os.path.basename(
            latest or "none"
        ),
    }
    connect(run.device, {name: str(value) for name, value in facts.items()})


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
