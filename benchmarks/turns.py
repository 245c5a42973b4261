"""Processes that are measured in turns, so that what else the machine does meets all of them."""

import json
import subprocess
import sys


class Process:
    """A module that is run as a process and answers each line of its input with a line of JSON.

    Args: module: of `python -m`. flags: name -> value.
    """

    def __init__(self, module: str, flags: dict):
        self.module = module
        command = [sys.executable, "-m", module, *(f"--{k}={v}" for k, v in flags.items())]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, text=True, **pipes)

    def ask(self, request: str) -> dict:
        """The answer to a request.

        Raises: SystemExit if the process has ended; it has said why on its stderr.
        """
        try:
            self._process.stdin.write(f"{request}\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SystemExit(
                f"{self.module} ended early. If PyTorch is missing: pip install -e '.[bench]'"
            )
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()
