"""A dispatcher or a worker of a tf.data service, which reads records and makes examples for runs
that name it with --data_service: `python -m kaleido_tf.data_service --role=dispatcher --port=5050`,
and on each machine that has cores to give
`python -m kaleido_tf.data_service --role=worker --dispatcher=host:5050`.

Ctrl-C ends it. Who can reach the port can have the machine read any file: it belongs into a network
of machines that trust one another.
"""

import contextlib
import os
import socket
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import flags

from kaleido_tf.command import run_command
from kaleido_tf.errors import InputError, tensorflow_reason

ROLES = ("dispatcher", "worker")
flags.DEFINE_enum(
    "role",
    None,
    ROLES,
    "dispatcher: the one that runs name, which hands out the work; worker: one of any number that"
    " do it.",
    required=True,
)
flags.DEFINE_integer(
    "port",
    None,
    "Port to listen at; default: 5050 of a dispatcher, any that is free of a worker.",
    lower_bound=0,
    upper_bound=65535,
)
flags.DEFINE_string("dispatcher", None, "host:port of the dispatcher that a worker works for.")
flags.DEFINE_string(
    "address",
    None,
    "Name or address of this machine by which runs reach the worker; default: its host name.",
)
flags.DEFINE_string(
    "work_dir",
    None,
    "Folder in which a dispatcher notes its work, so that one that was stopped goes on; without it"
    " what it is sent stays in memory.",
)
flags.DEFINE_integer(
    "timeout", 60, "Seconds that a worker waits for its dispatcher.", lower_bound=1
)
FLAGS = flags.FLAGS


def main(_) -> None:
    """Starts the server, says where it listens, and waits until it is stopped."""
    _check_flags()
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")  # they are for who trains
    try:
        server, where = _dispatcher() if FLAGS.role == "dispatcher" else _worker()
    except tf.errors.OpError as error:
        raise InputError(
            f"A {FLAGS.role} cannot start: {tensorflow_reason(error)}. Received:"
            f" --port={FLAGS.port}, --dispatcher={FLAGS.dispatcher}"
        ) from error
    print(f"{FLAGS.role} at {where}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        while server:  # its own `join` hears no Ctrl-C
            time.sleep(3600)
    os._exit(0)  # its end would wait a minute for those that still read from it


def _check_flags() -> None:
    for name, role in (("dispatcher", "worker"), ("address", "worker"), ("work_dir", "dispatcher")):
        if FLAGS[name].value and FLAGS.role != role:
            raise InputError(
                f"--{name} is for --role={role}. Received: --{name}={FLAGS[name].value} with"
                f" --role={FLAGS.role}"
            )
    if FLAGS.role == "worker" and not FLAGS.dispatcher:
        raise InputError("--role=worker needs --dispatcher=host:port")


def _dispatcher():
    """(server, host:port)."""
    from tensorflow.data.experimental import service

    port = 5050 if FLAGS.port is None else FLAGS.port
    _check_free(port)
    config = service.DispatcherConfig(
        port=port, work_dir=FLAGS.work_dir, fault_tolerant_mode=FLAGS.work_dir is not None
    )
    server = service.DispatchServer(config)
    return server, f"{socket.gethostname()}:{server.target.rpartition(':')[2]}"


def _worker():
    """(server, what it works for)."""
    from tensorflow.data.experimental import service

    from kaleido_tf.data.data_service import wait_for_dispatcher

    port = FLAGS.port or 0
    _check_free(port)
    dispatcher = FLAGS.dispatcher.removeprefix("grpc://")
    # TensorFlow would wait without end
    wait_for_dispatcher(dispatcher, FLAGS.timeout, "--dispatcher", "--timeout")
    host = FLAGS.address or socket.gethostname()
    config = service.WorkerConfig(
        dispatcher_address=dispatcher,
        worker_address=f"{host}:%port%",
        port=port,
        dispatcher_timeout_ms=1000 * FLAGS.timeout,
    )
    return service.WorkerServer(config), f"{host} for {FLAGS.dispatcher}"


def _check_free(port: int) -> None:
    """Two servers of TensorFlow can have one port, of which each hears every second word."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise InputError(
                f"--port must be one that is free. Received: {port} ({error.strerror})"
            ) from error


if __name__ == "__main__":
    run_command(main)
