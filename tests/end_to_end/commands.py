"""Runs the project's commands as a user would type them."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def start(*arguments, cwd, home=None):
    """A running command; its output and its messages are one stream."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **({"HOME": str(home)} if home else {})}
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def run(*arguments, cwd, home=None, status=0) -> str:
    """Output of a command that must end with `status`."""
    process = start(*arguments, cwd=cwd, home=home)
    output = process.communicate(timeout=600)[0]
    assert process.returncode == status, output[-3000:]
    return output
