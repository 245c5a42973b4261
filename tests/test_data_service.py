"""The service's commands, as processes of this machine."""

import signal

import pytest

from kaleido_tf.data.data_service import DataService
from kaleido_tf.files.text_files import read_lines
from tests.end_to_end.commands import ROOT, run, start
from tests.free_ports import free_hosts

COMMAND = ("-m", "kaleido_tf.data_service")


@pytest.fixture
def ctrl_c_is_heard():
    """By what the tests start: a shell's jobs in the background ignore it, and hand that on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_a_run_reaches_both_and_ctrl_c_ends_them(tmp_path):
    (address,) = free_hosts(1)
    port = address.partition(":")[2]
    work = f"--work_dir={tmp_path}/work"
    processes = [
        start(*COMMAND, "--role=dispatcher", f"--port={port}", work, cwd=ROOT),
        start(
            *COMMAND, "--role=worker", f"--dispatcher={address}", "--address=127.0.0.1", cwd=ROOT
        ),
    ]
    try:
        DataService(address, timeout=60).check()
        taken = run(*COMMAND, "--role=dispatcher", f"--port={port}", cwd=ROOT, status=1)
        assert f"error: --port must be one that is free. Received: {port}" in taken
        for process in processes:
            process.send_signal(signal.SIGINT)
        outputs = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0].startswith("dispatcher at ") and f":{port}\n" in outputs[0]
    assert outputs[1] == f"worker at 127.0.0.1 for {address}\n"


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--role=worker"], "--role=worker needs --dispatcher=host:port"),
        (["--role=worker", "--dispatcher=a:1", "--work_dir=w"], "is for --role=dispatcher"),
        (["--role=dispatcher", "--dispatcher=a:1"], "is for --role=worker. Received: --dispatcher"),
    ],
)
def test_flags_of_the_other_role_are_refused(flags, message):
    assert message in run(*COMMAND, *flags, cwd=ROOT, status=1)


def test_a_worker_does_not_wait_without_end():
    (nobody,) = free_hosts(1)
    flags = ("--role=worker", f"--dispatcher={nobody}", "--timeout=1")
    output = run(*COMMAND, *flags, cwd=ROOT, status=1)
    message = "error: --dispatcher needs a dispatcher that answers within --timeout=1 seconds."
    assert message in output and nobody in output


def test_the_run_config_names_a_service():
    flags = read_lines(ROOT / "run_configs" / "data_service.cfg")
    assert "--data_service=dispatcher:5050" in flags
