"""The original's result file, written and read: a line a batch, five fields separated by the byte
1.

The fields of a line: text product ids, image product ids, image ids and labels as printed Python
  lists of one-element
lists, then the logits of (mismatch, match) of all its pairs as one flat list. N = pairs.
"""

import ast
import dataclasses
import json
import os

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import decoded, open_text
from kaleido_tf.files.whole_files import write_whole

FIELD_SEPARATOR = "\001"
FIELDS = ("text ids", "image ids", "image file ids", "labels", "logits")
RECOGNITION, PREDICTIONS, EXAMPLES = "recognition.json", "predictions.jsonl", "examples.jsonl"
"""What an evaluation of recognition leaves: its figures, and what was said of every example."""


@dataclasses.dataclass(frozen=True)
class ResultFile:
    """Scored pairs: ids [N] object arrays of str, `labels` [N] int (1: they belong together),
    `logits` [N, 2] float64 of (mismatch, match), `batch_starts` [lines] int, the pair that begins
    each line.
    """

    text_ids: np.ndarray
    image_ids: np.ndarray
    image_file_ids: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    batch_starts: np.ndarray


def write_result_file(
    path: str | os.PathLike, text_ids, image_ids, image_file_ids, labels, logits, batch_size: int
) -> None:
    """Writes scored pairs, `batch_size` a line; appears whole or not at all.

    Args: ids: [N] str; labels: [N] 0 or 1; logits: [N, 2] of (mismatch, match).
    """
    columns = [np.asarray(ids, object) for ids in (text_ids, image_ids, image_file_ids)]
    columns.append(np.asarray(labels).astype(int))
    logits = np.asarray(logits)
    lines = []
    for start in range(0, len(logits), batch_size):
        part = slice(start, start + batch_size)
        fields = [str([[value] for value in column[part].tolist()]) for column in columns]
        lines.append(FIELD_SEPARATOR.join([*fields, str(logits[part].reshape(-1).tolist())]) + "\n")
    write_whole(path, "".join(lines))


def read_result_file(path: str | os.PathLike) -> ResultFile:
    """Reads a result file of this project or of the original (Python 2's u'...' and Python 3's
    b'...' are ids, too).

    Raises: InputError naming the line that has not five fields, whose fields disagree in length, or
      that holds something else than printed ids, labels 0 or 1 and finite numbers.
    """
    parts, starts, count = [], [], 0
    with open_text(path, "result file") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path} line {number}"
            parts.append(_parse_line(decoded(line, where).rstrip("\r\n"), where))
            starts.append(count)
            count += len(parts[-1][3])
    if not count:
        raise InputError(f"A result file is needed. {path} holds no pair")
    columns = [np.concatenate(column) for column in zip(*parts)]
    return ResultFile(*columns[:3], columns[3], columns[4].reshape(-1, 2), np.array(starts))


def _parse_line(line: str, where: str) -> list[np.ndarray]:
    fields = line.split(FIELD_SEPARATOR)
    if len(fields) != len(FIELDS):
        raise InputError(
            f"{where}: needed {len(FIELDS)} fields separated by the byte 1. Received: {len(fields)}"
        )
    columns = [_ids(field, f"{where}, {name}") for field, name in zip(fields[:3], FIELDS)]
    labels = _numbers(fields[3], f"{where}, labels")
    logits = _numbers(fields[4], f"{where}, logits")
    if not np.isin(labels, (0, 1)).all():
        raise InputError(
            f"{where}, labels: needed 0 or 1. Received: {labels[~np.isin(labels, (0, 1))][0]:g}"
        )
    counts = [len(column) for column in columns] + [len(labels), len(logits) / 2]
    if len(set(counts)) != 1:
        lengths = ", ".join(
            f"{count:g} {name}" for count, name in zip(counts, (*FIELDS[:4], "pairs of logits"))
        )
        raise InputError(f"{where}: needed the same number of each. Received: {lengths}")
    return [*columns, labels.astype(int), logits]


def _ids(field: str, where: str) -> np.ndarray:
    """[n] object array of str from a printed list of ids or of one-element lists of ids."""
    try:
        rows = ast.literal_eval(field)  # literals only: nothing in the file is run
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise InputError(
            f"{where}: needed a printed list of ids. Received: {field[:60]!r}"
        ) from error
    if not isinstance(rows, list):
        raise InputError(f"{where}: needed a printed list of ids. Received: {field[:60]!r}")
    column = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        value = row[0] if isinstance(row, list) and len(row) == 1 else row
        if isinstance(value, bytes):
            value = value.decode("utf-8", errors="backslashreplace")
        if not isinstance(value, str):
            raise InputError(
                f"{where}: needed one id in quotes a pair. Received as number {place + 1}:"
                f" {str(row)[:60]}"
            )
        column[place] = value
    return column


def _numbers(field: str, where: str) -> np.ndarray:
    """[n] float64 from a printed list of numbers, or of lists of them; printed numbers are JSON."""
    try:
        numbers = np.array(json.loads(field), np.float64).reshape(-1)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{where}: needed a printed list of numbers. Received: {field[:60]!r} ({error})"
        ) from error
    if not field.startswith("[") or not np.isfinite(numbers).all():
        raise InputError(
            f"{where}: needed a printed list of finite numbers. Received: {field[:60]!r}"
        )
    return numbers


def write_predictions(
    path: str | os.PathLike, product_ids, image_ids, names, probabilities: np.ndarray, top: int
) -> None:
    """Writes a JSON line an image: `product_id`, `image_id`, and its `top` most likely `classes`,
    the likeliest first, each with `name` and `probability`.

    Args: ids: [N] str. names: C. probabilities: [N, C].
    """
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    lines = []
    for product, image, places, row in zip(product_ids, image_ids, best, probabilities):
        classes = [{"name": names[place], "probability": float(row[place])} for place in places]
        line = {"product_id": product, "image_id": image, "classes": classes}
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    write_whole(path, "".join(lines))


def write_judged_predictions(
    path: str | os.PathLike, product_ids, image_ids, labels, names, probabilities: np.ndarray
) -> None:
    """Writes a JSON line an example: `product_id`, `image_id`, its class `true` and the likeliest,
    `predicted`, and the model's probability of both (0 of a class that the model does not know).

    Args: ids: [E] str. labels: [E] int below L. names: L, of the model's C classes and then of
      those it does not know. probabilities: [E, C].
    """
    known, lines = probabilities.shape[1], []
    for product, image, label, row in zip(product_ids, image_ids, labels, probabilities):
        best = int(row.argmax())
        line = {
            "product_id": product,
            "image_id": image,
            "true": names[label],
            "predicted": names[best],
            "probability_true": float(row[label]) if label < known else 0.0,
            "probability_predicted": float(row[best]),
        }
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    write_whole(path, "".join(lines))
