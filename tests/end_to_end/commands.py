"""Runs the project's commands as a user would type them.

`start` and `run_anew` make a new interpreter. `run` does what an interpreter does with the same
arguments in a fork of one that has
imported the libraries and nothing else: that import takes longer than most of the commands.
"""

import functools
import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
from concurrent import futures
from multiprocessing import forkserver
from unittest import mock

ROOT = pathlib.Path(__file__).parents[2]
SECONDS = 600

# None of these starts TensorFlow itself: devices, thread pools and random states are made after the
# fork, by each command for itself.
LIBRARIES = ["tensorflow", "tf_keras", "orbit", "official.nlp.modeling.layers"]


def start(*arguments, cwd):
    """A command running in a new interpreter; its output and its messages are one stream."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=_as_a_user(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run_anew(*arguments, cwd, status=0) -> str:
    """As `run`, in a new interpreter: for what happens before the libraries are imported or when
    the interpreter ends.
    """
    process = start(*arguments, cwd=cwd)
    output = process.communicate(timeout=SECONDS)[0]
    assert process.returncode == status, output[-3000:]
    return output


def run_together(*commands, cwd, statuses) -> list[str]:
    """As `run`, of several commands at the same time, that must end with `statuses`."""
    _forks()
    with futures.ThreadPoolExecutor(len(commands)) as pool:
        running = [
            pool.submit(run, *arguments, cwd=cwd, status=status)
            for arguments, status in zip(commands, statuses, strict=True)
        ]
    return [each.result() for each in running]


def run(*arguments, cwd, home=None, status=0) -> str:
    """Output and messages of a command that must end with `status`."""
    environment = {**_environment(), **({"HOME": str(home)} if home else {})}
    with tempfile.NamedTemporaryFile() as output:
        process = _forks().Process(
            target=_as_interpreter,
            args=([*map(str, arguments)], str(cwd), environment, output.name),
        )
        process.start()
        process.join(SECONDS)
        ended = process.exitcode
        if ended is None:
            process.kill()
        written = pathlib.Path(output.name).read_text(encoding="utf-8", errors="replace")
    assert ended == status, f"{ended} after at most {SECONDS} s: {written[-3000:]}"
    return written


@functools.cache
def _forks():
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(LIBRARIES)
    # TensorFlow reads its log level while it is imported
    with mock.patch.dict(os.environ, _environment()):
        forkserver.ensure_running()
    return forks


def _as_interpreter(arguments, cwd, environment, output):
    """`python <arguments>` within this process: a file, or `-m` and a module."""
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path.insert(0, cwd)
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path.insert(0, str(pathlib.Path(arguments[0]).parent))
        runpy.run_path(arguments[0], run_name="__main__")


def _as_a_user():
    """Without what tests set for themselves: the log level is the commands' own business."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return environment


def _environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
