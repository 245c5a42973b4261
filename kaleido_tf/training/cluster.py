"""Which machines train together, and which of them this process is: from TF_CONFIG or from the
original's flags.
"""

import dataclasses
import json
from collections.abc import Sequence

from kaleido_tf.errors import InputError
from kaleido_tf.settings import check_settings, setting

TASK_TYPES = ("chief", "worker")
"""Kinds of tasks that train; the chief is the first worker."""


@dataclasses.dataclass(frozen=True)
class WorkerConfig:
    """What the flags say of several machines."""

    worker_count: int = setting(
        1,
        "workerCount",
        "Processes that train together, one a machine; each has all of these flags.",
        decisive=True,
        lowest=1,
    )
    worker_hosts: tuple[str, ...] = setting(
        (),
        "worker_hosts",
        "host:port of every worker, separated by commas; the first one is the chief, which alone"
        " writes. TF_CONFIG in the environment says the same.",
    )
    task_index: int = setting(
        0, "task_index", "Which of --worker_hosts this process is, from 0 on.", lowest=0
    )
    job_name: str = setting(
        "worker",
        "job_name",
        "What this process is; the chief may be called a worker, too.",
        choices=TASK_TYPES,
    )
    worker_timeout: int = setting(
        600,
        "worker_timeout",
        "Seconds that a worker waits for the others when a run begins.",
        lowest=1,
    )
    worker_silence: int = setting(
        30,
        "worker_silence",
        "Seconds without a sign of life after which a worker is lost, and the others end.",
        lowest=1,
    )

    def __post_init__(self):
        check_settings(self)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a run, two or more.

    Attributes: hosts: host:port of each, the chief's first. index: which of them this process is.
      timeout: seconds to wait for the others. silence: seconds without a sign of life after which
        one of them is lost.
    """

    hosts: tuple[str, ...]
    index: int
    timeout: int = 600
    silence: int = 30

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0

    @property
    def part(self) -> tuple[int, int]:
        """(index, number of workers): the part of every batch that this process computes."""
        return self.index, len(self.hosts)

    def name(self, index: int) -> str:
        """A worker as messages call it."""
        return f"{self.hosts[index]} (--task_index={index})"


def find_cluster(settings: WorkerConfig, tf_config: str | None) -> Cluster | None:
    """The workers that the flags, or else TF_CONFIG, describe; None for a process that trains
    alone.

    Args: tf_config: the value of that variable of the environment; None or "": there is none.
    Raises: InputError if one of them is wrong in itself, or both are there and disagree.
    """
    described = _read_tf_config(tf_config) if tf_config else None
    if described is None:
        return _of_flags(settings)
    hosts, index = described
    _refuse_contradictions(settings, hosts, index)
    return _cluster(settings, hosts, index)


def _cluster(settings: WorkerConfig, hosts: tuple[str, ...], index: int) -> Cluster | None:
    if len(hosts) < 2:
        return None
    return Cluster(hosts, index, settings.worker_timeout, settings.worker_silence)


def _of_flags(settings: WorkerConfig) -> Cluster | None:
    hosts, index = settings.worker_hosts, settings.task_index
    if not hosts and settings.worker_count == 1 and index == 0:
        return None
    count = f"--workerCount={settings.worker_count}"
    if not hosts and settings.worker_count > 1:
        raise InputError(
            f"{count} needs --worker_hosts (host:port of each worker, separated by commas) or"
            " TF_CONFIG in the environment. Received: neither"
        )
    if hosts and len(hosts) != settings.worker_count:
        raise InputError(
            f"--worker_hosts must name as many workers as {count}. Received: {len(hosts)}"
            f" ({','.join(hosts)})"
        )
    _check_hosts(hosts, "--worker_hosts")
    if index >= max(len(hosts), 1):
        raise InputError(
            f"--task_index must be 0 to {max(len(hosts), 1) - 1}, one of --worker_hosts. Received:"
            f" {index}"
        )
    if settings.job_name == "chief" and index:
        raise InputError(
            "--job_name=chief is the first of --worker_hosts, --task_index=0. Received:"
            f" --task_index={index}"
        )
    return _cluster(settings, hosts, index)


def _read_tf_config(text: str) -> tuple[tuple[str, ...], int] | None:
    """(hosts, index among them); None where no cluster is described."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"TF_CONFIG must be JSON. Received: {text[:80]!r} ({str(error)[:80]})"
        ) from None
    cluster = _dictionary(content, "TF_CONFIG").get("cluster", {})
    if not _dictionary(cluster, "TF_CONFIG's `cluster`"):
        return None
    _check_types(cluster)
    hosts = (*cluster.get("chief", ()), *cluster.get("worker", ()))
    _check_hosts(hosts, "TF_CONFIG")
    if len(cluster.get("chief", ())) > 1:
        raise InputError(
            f"TF_CONFIG must name one chief. Received: {len(cluster['chief'])}"
            f" ({', '.join(cluster['chief'])})"
        )
    return hosts, _index_of(content.get("task"), cluster)


def _dictionary(value, name: str) -> dict:
    if not isinstance(value, dict):
        raise InputError(f"{name} must be a JSON object. Received: {json.dumps(value)[:80]}")
    return value


def _check_types(cluster: dict) -> None:
    for kind, hosts in cluster.items():
        if kind not in TASK_TYPES:
            raise InputError(
                f"TF_CONFIG's `cluster` may hold tasks of type {' and '.join(TASK_TYPES)}."
                f" Received: {kind!r}"
            )
        if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
            raise InputError(
                f'TF_CONFIG\'s `{kind}` must be a list of "host:port". Received:'
                f" {json.dumps(hosts)[:80]}"
            )


def _index_of(task, cluster: dict) -> int:
    """The place of this process among the hosts, the chief's first."""
    task = _dictionary(task, "TF_CONFIG's `task`")
    kind, index = task.get("type"), task.get("index")
    if kind not in cluster:
        raise InputError(
            f"The `type` of TF_CONFIG's `task` must be one of its cluster: {', '.join(cluster)}."
            f" Received: {kind!r}"
        )
    if isinstance(index, str) and index.isascii() and index.isdigit():
        index = int(index)  # as shells that build TF_CONFIG leave it
    if type(index) is not int or not 0 <= index < len(cluster[kind]):
        raise InputError(
            f"The `index` of TF_CONFIG's `task` must be 0 to {len(cluster[kind]) - 1}, a {kind} of"
            f" its cluster. Received: {index!r}"
        )
    return index + (len(cluster.get("chief", ())) if kind == "worker" else 0)


def _check_hosts(hosts: Sequence[str], where: str) -> None:
    for host in hosts:
        name, _, port = host.rpartition(":")
        if not (name and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise InputError(
                f"{where} must name workers as host:port, the port 1 to 65535. Received: {host!r}"
            )
    twice = sorted({host for host in hosts if list(hosts).count(host) > 1})
    if twice:
        raise InputError(f"{where} must name every worker once. Received twice: {twice[0]}")


def _refuse_contradictions(settings: WorkerConfig, hosts: tuple[str, ...], index: int) -> None:
    """Flags that were given beside TF_CONFIG must say the same; defaults say nothing."""
    default = WorkerConfig()
    given = {
        "worker_hosts": (settings.worker_hosts, hosts),
        "workerCount": (settings.worker_count, len(hosts)),
        "task_index": (settings.task_index, index),
    }
    defaults = (default.worker_hosts, default.worker_count, default.task_index)
    for (flag, (said, there)), unsaid in zip(given.items(), defaults):
        if said not in (unsaid, there):
            said, there = (
                ",".join(value) if isinstance(value, tuple) else value for value in (said, there)
            )
            raise InputError(
                f"TF_CONFIG and the flags must describe the same workers. Received: --{flag}={said}"
                f", and {there} in TF_CONFIG"
            )
