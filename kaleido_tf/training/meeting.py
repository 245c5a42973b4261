"""Workers of a run wait for one another before TensorFlow connects them, which by itself would wait
without end for one that never comes, and without a word fail on those that are given different
settings.

The chief listens on its own port, which TensorFlow takes over afterwards; the others come to it.
Each says in a line of JSON who it is and what its run is (`facts`); the chief answers all of them
when everybody has come, or says why there is no run.
"""

import contextlib
import json
import select
import socket
import time
from collections.abc import Iterator, Mapping

from kaleido_tf.errors import InputError
from kaleido_tf.training.cluster import Cluster

PAUSE = 0.2
"""Seconds between two looks at who has come."""
LONGEST = 1 << 20
"""Bytes of a line; what sends more is no worker."""


def meet(cluster: Cluster, facts: Mapping[str, str]) -> None:
    """Returns when all workers have come, with the same hosts and the same facts.

    Args: facts: what must be the same for all, by what messages call it.
    Raises: InputError, in every worker that has come, naming those that never came, or what
      differs.
    """
    deadline = time.monotonic() + cluster.timeout
    if cluster.is_chief:
        with _listening(cluster, deadline) as listener:
            _receive_all(cluster, dict(facts), listener, deadline)
    else:
        _come(cluster, dict(facts), deadline)


@contextlib.contextmanager
def _listening(cluster: Cluster, deadline: float) -> Iterator[socket.socket]:
    port = int(cluster.hosts[0].rpartition(":")[2])
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        while True:
            try:
                listener.bind(("", port))
                break
            except OSError as error:  # of a run that was killed a moment ago, perhaps
                if time.monotonic() > deadline:
                    raise InputError(
                        f"A port that is free is needed. Received: {cluster.hosts[0]}"
                        f" ({error.strerror})"
                    ) from error
                time.sleep(PAUSE)
        listener.listen(len(cluster.hosts))
        yield listener


def _receive_all(cluster, facts, listener, deadline) -> None:
    there: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as connections:
        try:
            while len(there) < len(cluster.hosts) - 1:
                _receive(cluster, facts, listener, there, connections)
                for index in [index for index, one in there.items() if _has_left(one)]:
                    del there[index]
                if time.monotonic() > deadline:
                    raise InputError(_missing(cluster, set(there)))
        except InputError as error:
            _answer_all(there, {"error": str(error)})
            raise
        _answer_all(there, {"met": True})


def _receive(cluster, facts, listener, there, connections) -> None:
    """Lets in the next worker, if one has come. Raises: InputError if it cannot be of this run."""
    if not select.select([listener], [], [], PAUSE)[0]:
        return
    connection = connections.enter_context(listener.accept()[0])
    connection.settimeout(5.0)
    try:
        hello = _read_line(connection)
        index, hosts, found = int(hello["index"]), hello["hosts"], dict(hello["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        connection.close()  # no worker
        return
    problem = _problem(cluster, facts, index, hosts, found)
    if index in there and not _has_left(there[index]):
        problem = f"Every worker needs a --task_index of its own. Received twice: {index}"
    there[-1 if problem else index] = connection  # who cannot take part is told so, too
    if problem:
        raise InputError(problem)


def _problem(cluster: Cluster, facts, index: int, hosts: list, found: dict) -> str | None:
    if tuple(hosts) != cluster.hosts:
        return (
            "All workers need the same list of workers. Received:"
            f" {','.join(cluster.hosts)} at {cluster.hosts[0]}, {','.join(map(str, hosts))} at"
            f" --task_index={index}"
        )
    for name in (*facts, *found):
        if facts.get(name) != found.get(name):
            return (
                f"All workers need the same {name}. Received: {facts.get(name)} at"
                f" {cluster.name(0)}, {found.get(name)} at {cluster.name(index)}"
            )
    return None


def _missing(cluster: Cluster, there: set[int]) -> str:
    absent = [cluster.name(n) for n in range(1, len(cluster.hosts)) if n not in there]
    return (
        f"All {len(cluster.hosts)} workers must come within --worker_timeout={cluster.timeout}"
        f" seconds. Never came: {', '.join(absent)}"
    )


def _has_left(connection: socket.socket) -> bool:
    """A worker that waits says nothing more; what can be read is the end of the connection."""
    return bool(select.select([connection], [], [], 0)[0])


def _answer_all(there, answer: dict) -> None:
    for connection in there.values():
        with contextlib.suppress(OSError):
            connection.sendall(_line(answer))


def _come(cluster: Cluster, facts: dict, deadline: float) -> None:
    """Goes to the chief, again and again until it is there, and waits for its answer."""
    host, _, port = cluster.hosts[0].rpartition(":")
    hello = {"index": cluster.index, "hosts": cluster.hosts, "facts": facts}
    reason = "no answer"
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise InputError(
                f"The first worker, {cluster.name(0)}, must answer within"
                f" --worker_timeout={cluster.timeout} seconds. Received: {reason}"
            )
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=left) as chief:
                chief.sendall(_line(hello))
                # The chief began to wait later, perhaps; its answer names who never came.
                chief.settimeout(cluster.timeout + 5.0)
                answer = _read_line(chief)
            if "met" not in answer and "error" not in answer:
                raise ValueError("an answer that no chief gives")
            break
        except (OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            time.sleep(PAUSE)
    if "error" in answer:
        raise InputError(str(answer["error"]))


def _line(content) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _read_line(connection: socket.socket) -> dict:
    """Raises: ValueError for what is no line of JSON, OSError if none comes."""
    with connection.makefile("rb") as file:
        line = file.readline(LONGEST)
    if not line:
        raise ConnectionResetError("the connection ended before its answer")
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content
