"""`metrics.jsonl`: one JSON object a line for every training report and evaluation of a run."""

import json
import math
import os
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_text
from kaleido_tf.files.whole_files import write_whole


class MetricsLog:
    """Appends lines; a resumed run first drops what lies after its checkpoint, so that no step
    stands twice.
    """

    def __init__(self, path: str | os.PathLike, resumed_step: int):
        self._path = pathlib.Path(path)
        kept = [
            line
            for line in read_metrics(self._path)
            if line["step"] <= resumed_step and resumed_step > 0
        ]
        write_whole(self._path, "".join(map(_as_json, kept)))

    def write(self, kind: str, step: int, values: dict[str, float]) -> None:
        """Appends a line, on the disk when this returns. Raises: OSError if the disk refuses."""
        line = _as_json({"kind": kind, "step": int(step), **values})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def last(self, kind: str) -> dict[str, float]:
        """The figures of the last line of a kind; {} if there is none."""
        lines = [line for line in read_metrics(self._path) if line["kind"] == kind]
        return (
            {name: value for name, value in lines[-1].items() if name not in ("kind", "step")}
            if lines
            else {}
        )

    def has(self, kind: str, step: int) -> bool:
        """Whether there is a line of that kind and step."""
        return any(
            line["kind"] == kind and line["step"] == step for line in read_metrics(self._path)
        )


def read_metrics(path: str | os.PathLike) -> list[dict]:
    """The lines of a `metrics.jsonl`, null as NaN; an unfinished last line (a killed run) is left
    out.

    Raises: InputError for a line that is no object with a `kind` and a `step`.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        return []
    lines = read_text(path).split("\n")
    # what follows the last line end is unfinished
    return [_parsed(line, f"{path} line {n}") for n, line in enumerate(lines[:-1], 1) if line]


def _parsed(line: str, where: str) -> dict:
    try:
        entry = json.loads(line)
        kind, step = entry["kind"], entry["step"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{where}: a JSON object with `kind` and `step` is needed. Received: {line[:80]!r}"
        ) from error
    numbers = {name: math.nan if value is None else value for name, value in entry.items()}
    return {**numbers, "kind": kind, "step": step}


def _as_json(line: dict) -> str:
    """JSON knows no NaN: a figure that overflowed (a float16 step that was skipped) becomes
    null.
    """
    words = {"kind": line["kind"], "step": line["step"]}
    numbers = {
        name: float(value) if math.isfinite(value) else None
        for name, value in line.items()
        if name not in words
    }
    return json.dumps({**words, **numbers}) + "\n"
