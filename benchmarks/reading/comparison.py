"""Products a second: records of this project against the original's rows, read its way and ours,
and against PyTorch's DataLoader over shards of safetensors and of WebDataset.

All read the same drawn products from the file cache, in batches. What reading gives is float16 of
records and shards and float32 of rows.
"""

import collections
import contextlib
import os
import pathlib
import tempfile
from collections.abc import Callable

import numpy as np

from benchmarks.rates import lines_of, rows_of, seconds_in_turns, seconds_of
from benchmarks.turns import Process

MODULE = "benchmarks.reading.side"
FORMS = {
    "records, float16": "records_float16",
    "records, int8": "records_int8",
    "text rows, the original's way": "text",
    "text rows, here": "text",
    "float TFRecords, the original's way": "floats",
    "float TFRecords, here": "floats",
    "PyTorch, safetensors": "safetensors",
    "PyTorch, WebDataset": "webdataset",
}
"""Side -> form of the files it reads; the first is the one that the others are held against."""
NUMBERS = {"text": "float32", "floats": "float32"}
"""What reading gives, where it is not float16."""
PRINTED = 1e-6
"""How far a float may be from what its row of six decimals says."""


def compare(products: int, feature_size: int, batch: int, turns: int) -> list[dict]:
    """Times the reading of all products by all sides.

    Returns: `rates.rows_of` products, and in each `kilobytes` (of a product on disk) and `numbers`
      (what reading gives).
    Raises: SystemExit for a side that reads other features.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.reading.forms import drawn_contents, schema_of, write_forms

    contents = drawn_contents(products, feature_size)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        sizes = write_forms(folder, contents)
        ways = _ways(folder, schema_of(contents), feature_size, batch)
        processes = {
            side: stack.enter_context(
                Process(MODULE, {"form": form, "folder": folder, "batch": batch})
            )
            for side, form in FORMS.items()
            if side not in ways
        }
        _check_values(contents, ways, processes, folder)
        sides: dict[str, Callable[[], float]] = {
            side: lambda way=way: seconds_of(lambda: collections.deque(way(), maxlen=0))
            for side, way in ways.items()
        }
        for side, process in processes.items():
            sides[side] = lambda process=process: process.ask("seconds")["seconds"]
        rows = rows_of(seconds_in_turns(sides, turns), products)
    return [
        {
            **row,
            "kilobytes": sizes[FORMS[row["side"]]] / products / 1000,
            "numbers": NUMBERS.get(FORMS[row["side"]], "float16"),
        }
        for row in rows
    ]


def table(rows: list[dict]) -> list[str]:
    """The lines that are printed of a comparison."""

    def further(row):
        return f"   gives {row['numbers']}   {row['kilobytes']:.0f} KB on disk"

    return lines_of("Products read, each of 55 patches and more", rows, "products", further)


def _ways(folder, schema, feature_size, batch) -> dict[str, Callable]:
    """Side -> way, of those that TensorFlow reads."""
    from benchmarks.reading import ways

    text, floats = folder / "text.csv", folder / "floats.tfrecord"
    return {
        "records, float16": ways.records(folder, "float16", feature_size, batch),
        "records, int8": ways.records(folder, "int8", feature_size, batch),
        "text rows, the original's way": ways.text_as_the_original(text, schema, batch),
        "text rows, here": ways.rows_by_row_files(text, schema, batch),
        "float TFRecords, the original's way": ways.floats_as_the_original(floats, schema, batch),
        "float TFRecords, here": ways.rows_by_row_files(floats, schema, batch),
    }


def _check_values(contents, ways, processes, folder) -> None:
    drawn = np.stack([fields["patch_features"] for fields in contents]).astype(np.float32)
    for side, way in ways.items():
        _check(side, _features(list(way()), drawn.shape), drawn)
    for side, process in processes.items():
        process.ask("values")
        _check(side, np.load(folder / f"{FORMS[side]}.npy"), drawn)


def _features(batches, shape) -> np.ndarray:
    """[N, 55, F] of batches of records, in the order of their products, or of rows."""
    from benchmarks.reading.forms import LEVELS

    first = batches[0]
    if "patch_features" in first:
        found = np.concatenate([batch["patch_features"] for batch in batches])
        names = np.concatenate([batch["product_id"] for batch in batches])
        return found[np.argsort([int(name[1:]) for name in names])]
    levels = [
        np.concatenate([batch[f"img_feature_convert_{name}"] for batch in batches])
        for name in LEVELS
    ]
    return np.concatenate([level.reshape(shape[0], -1, shape[2]) for level in levels], axis=1)


def _check(side, found, drawn) -> None:
    """Raises: SystemExit unless the features are those that were drawn, to what their form can
    hold.
    """
    form, largest = FORMS[side], np.zeros_like(drawn[..., :1])
    if form == "records_int8":  # half a step of the patch's largest, and float16's own
        largest = np.abs(drawn).max(axis=-1, keepdims=True) * (0.5 / 127 + 2**-11)
    if form in NUMBERS:
        largest = largest + PRINTED
    if found.shape != drawn.shape or not (np.abs(found - drawn) <= largest).all():
        raise SystemExit(f"{side}: other features than those that were drawn")
