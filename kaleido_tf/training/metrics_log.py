"""`metrics.jsonl`: one JSON object a line for every training report and evaluation of a run."""

import json
import math
import os
import pathlib

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
        write_whole(self._path, "".join(json.dumps(line) + "\n" for line in kept))

    def write(self, kind: str, step: int, values: dict[str, float]) -> None:
        # JSON knows no NaN: a figure that overflowed (a float16 step that was skipped) is written
        # as null.
        numbers = {
            name: float(value) if math.isfinite(value) else None for name, value in values.items()
        }
        line = {"kind": kind, "step": int(step), **numbers}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
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
        return any(
            line["kind"] == kind and line["step"] == step for line in read_metrics(self._path)
        )


def read_metrics(path: str | os.PathLike) -> list[dict]:
    """The lines of a `metrics.jsonl`; an unfinished last line (a killed run) is left out."""
    path = pathlib.Path(path)
    if not path.is_file():
        return []
    lines = read_text(path).split("\n")
    # what follows the last line end is unfinished
    return [json.loads(line) for line in lines[:-1] if line]
