"""What a model's folder holds of a run: settings, losses, and the results of its evaluations."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Sequence

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.caption_report import LINES as CAPTIONS
from kaleido_tf.evaluation.caption_report import RESULT as CAPTION_FIGURES
from kaleido_tf.evaluation.protocols import direction_in_name
from kaleido_tf.evaluation.query_cases import QueryCase, query_cases
from kaleido_tf.evaluation.result_files import EXAMPLES, RECOGNITION, read_result_file
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.serving.figures import (
    FigureGroup,
    caption_figures,
    recognition_figures,
    retrieval_figures,
)
from kaleido_tf.training.metrics_log import read_metrics

CONFIG, FLAG_FILE, METRICS = "config.json", "flags.cfg", "metrics.jsonl"
RETRIEVAL, SCORED_PAIRS = "*retrieval_metrics.json", "eval_*_results.txt"
EVALUATION = "evaluation"
"""The folder within a model's where evaluations lie; else they lie in the folder itself."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a model said of an example: its class, the likeliest, and the probabilities of both."""

    product_id: str
    image_id: str
    true: str
    predicted: str
    probability_true: float
    probability_predicted: float


@dataclasses.dataclass(frozen=True)
class Description:
    """A product's caption with its references; `score`: its CIDEr. `nearest`: the text of the
    training product with the nearest photo, None where it was not looked for.
    """

    product_id: str
    image_id: str
    caption: str
    references: tuple[str, ...]
    score: float
    nearest: str | None


@dataclasses.dataclass(frozen=True)
class Confusion:
    """names: C. counts: [C][C], rows the classes, columns the predictions. scores: of each class
    its F1, support (examples here) and train (examples of training).
    """

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    scores: dict[str, tuple[float, int, int]]


@dataclasses.dataclass(frozen=True)
class RunResults:
    """Everything there is of a run; empty or None where its folder has no such file."""

    folder: str
    config: dict
    flags: dict[str, str]
    metrics: list[dict]
    groups: tuple[FigureGroup, ...]
    confusion: Confusion | None
    predictions: tuple[Prediction, ...]
    descriptions: tuple[Description, ...]
    queries: tuple[QueryCase, ...]


def read_run(folder: str | os.PathLike) -> RunResults:
    """Reads a model's folder.

    Raises: InputError if there is none, if it holds nothing of a run, or for a broken file.
    """
    place = pathlib.Path(folder)
    if not place.is_dir():
        raise InputError(f"--model_dir: the folder of a model is needed. Received: {folder}")
    config, flag_file = place / CONFIG, place / FLAG_FILE
    retrieval = _found(place, RETRIEVAL)
    recognition, captions = _evaluated(place, RECOGNITION), _evaluated(place, CAPTION_FIGURES)
    predictions, lines = _evaluated(place, EXAMPLES), _evaluated(place, CAPTIONS)
    groups = [_as_written(path, retrieval_figures) for path in retrieval]
    groups += [_as_written(recognition, recognition_figures)] if recognition else []
    groups += [_as_written(captions, caption_figures)] if captions else []
    run = RunResults(
        str(folder),
        read_json_object(config) if config.is_file() else {},
        _flags(flag_file) if flag_file.is_file() else {},
        _metrics(place / METRICS),
        tuple(groups),
        _as_written(recognition, _confusion) if recognition else None,
        _rows(predictions, _prediction) if predictions and recognition else (),
        _rows(lines, _description) if lines and captions else (),
        tuple(case for path in _found(place, SCORED_PAIRS) for case in _queries(path)),
    )
    if not any((run.config, run.flags, run.metrics, run.groups)):
        names = (CONFIG, FLAG_FILE, METRICS, RETRIEVAL, RECOGNITION, CAPTION_FIGURES)
        raise InputError(
            f"--model_dir: a folder with one of {', '.join(names)} is needed. Received: {folder}"
        )
    return run


def short_names(folders: Sequence[str]) -> list[str]:
    """Of each folder its last two parts, or as many as tell it from the others. Raises: InputError
    for a folder that comes twice.
    """
    parts = [pathlib.Path(os.path.abspath(folder)).parts for folder in folders]
    twice = [folder for n, folder in enumerate(folders) if parts[n] in parts[:n]]
    if twice:
        raise InputError(f"--model_dir: each folder once is needed. Received again: {twice[0]}")
    for length in range(2, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names


def _found(place: pathlib.Path, pattern: str) -> list[pathlib.Path]:
    """Files of a folder, and of those below it."""
    return sorted({*place.glob(pattern), *place.glob(f"*/{pattern}")})


def _queries(path: pathlib.Path) -> list[QueryCase]:
    direction = direction_in_name(path.name)
    return query_cases(read_result_file(path), direction) if direction else []


def _evaluated(place: pathlib.Path, name: str) -> pathlib.Path | None:
    return next((p for p in (place / EVALUATION / name, place / name) if p.is_file()), None)


def _flags(path: pathlib.Path) -> dict[str, str]:
    return dict(_flag(line) for line in read_lines(path) if line.strip().startswith("--"))


def _metrics(path: pathlib.Path) -> list[dict]:
    lines = read_metrics(path)
    for line in lines:
        values = {name: value for name, value in line.items() if name != "kind"}
        wrong = {k: v for k, v in values.items() if not isinstance(v, int | float)}
        if wrong:
            raise InputError(f"{path}: numbers are needed. Received: {str(wrong)[:80]}")
    return lines


def _flag(line: str) -> tuple[str, str]:
    name, equals, value = line.strip().removeprefix("--").partition("=")
    if equals:
        return name, value
    # A switch; none of ours has a name that begins with "no".
    return (name[2:], "no") if name.startswith("no") else (name, "yes")


def _as_written(path: pathlib.Path, read: Callable[[dict], object]):
    content = read_json_object(path)
    try:
        return read(content)
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise InputError(
            f"{path}: what an evaluation writes is needed. Received: something else"
            f" ({type(error).__name__}: {error})"
        ) from error


def _rows(path: pathlib.Path, read: Callable[[dict], object]) -> tuple:
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            rows.append(read(json.loads(line)))
        except (KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
            raise InputError(
                f"{path} line {number}: what an evaluation writes is needed. Received:"
                f" {line[:80]!r} ({type(error).__name__}: {error})"
            ) from error
    return tuple(rows)


def _prediction(row: dict) -> Prediction:
    words = (str(row[name]) for name in ("product_id", "image_id", "true", "predicted"))
    return Prediction(*words, float(row["probability_true"]), float(row["probability_predicted"]))


def _description(row: dict) -> Description:
    # Its name ends in that of the tokenizer.
    (score,) = (value for name, value in row.items() if name.startswith("cider_"))
    return Description(
        str(row["product_id"]),
        str(row["image_ids"][0]),
        str(row["caption"]),
        tuple(map(str, row["references"])),
        float(score),
        row.get("nearest_photo"),
    )


def _confusion(content: dict) -> Confusion:
    names = tuple(map(str, content["confusion"]["names"]))
    counts = tuple(tuple(map(int, row)) for row in content["confusion"]["counts"])
    if {len(counts), *map(len, counts)} != {len(names)}:
        raise ValueError(f"a confusion of {len(names)} x {len(names)} counts is needed")
    scores = {
        str(name): (float(entry["f1"]), int(entry["support"]), int(entry["train"]))
        for name, entry in content["classes"].items()
    }
    return Confusion(names, counts, scores)
