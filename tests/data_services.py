"""A tf.data service of this machine, in a process of its own, which ends at once when it is killed;
TensorFlow's servers wait a minute for those that still read from them.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from tensorflow.data.experimental import service

SERVERS = """
import sys, time
from tensorflow.data.experimental import service
dispatcher = service.DispatchServer()
address = dispatcher.target.partition("://")[2]
config = service.WorkerConfig(dispatcher_address=address, heartbeat_interval_ms=100)
workers = [service.WorkerServer(config) for _ in range(int(sys.argv[1]))]
print(address, flush=True)
time.sleep(600)
"""
WORKER = """
import sys, time
from tensorflow.data.experimental import service
config = service.WorkerConfig(dispatcher_address=sys.argv[1], heartbeat_interval_ms=100)
worker = service.WorkerServer(config)
time.sleep(600)
"""
_IDLE = []


@contextlib.contextmanager
def running(workers: int) -> Iterator[str]:
    """The host:port of a dispatcher with so many workers."""
    command = [sys.executable, "-c", SERVERS, str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextlib.contextmanager
def worker_of(address: str) -> Iterator[subprocess.Popen]:
    """A worker of a dispatcher, to be killed."""
    with subprocess.Popen([sys.executable, "-c", WORKER, address]) as process:
        try:
            yield process
        finally:
            process.kill()


def idle() -> str:
    """The host:port of a dispatcher without workers, which runs as long as the tests do."""
    _IDLE.append(service.DispatchServer())
    return _IDLE[-1].target.partition("://")[2]
