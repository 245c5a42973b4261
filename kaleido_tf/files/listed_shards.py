"""The shards that a folder's `dataset.json` lists: these are its records, whatever else lies there.

A copy that was cut short lacks some; a sync client, a file manager or macOS leaves others beside
them (`x (1).tfrecord`, `._x.tfrecord`, `x.tfrecord.partial`).
"""

import os
import pathlib
from collections.abc import Iterable

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object

DATASET_JSON = "dataset.json"


def shard_counts(folder: str | os.PathLike) -> dict[str, int] | None:
    """File name -> number of records, by name; None for a folder whose `dataset.json` is missing or
    lists no shards.

    Raises: InputError for a list that is none of names and counts.
    """
    path = pathlib.Path(folder) / DATASET_JSON
    if not path.is_file():
        return None
    shards = read_json_object(path).get("shards")
    if shards is None:
        return None
    if not isinstance(shards, dict) or not all(map(_is_entry, shards.items())):
        raise InputError(f"{path}: `shards` must be file names with their numbers of records")
    return dict(sorted(shards.items()))


def _is_entry(entry: tuple) -> bool:
    name, count = entry
    return os.path.basename(name) == name and isinstance(count, int)


def present_shards(folder: str | os.PathLike, names: Iterable[str]) -> list[str]:
    """The paths of some listed shards. Raises: InputError that says what is wrong with each that
    cannot be read.
    """
    paths = [os.path.join(folder, name) for name in names]
    faults = [f"{os.path.basename(path)} {fault}" for path in paths if (fault := _fault(path))]
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise InputError(
            f"{folder}: {len(faults)} of the {len(paths)} shards that its {DATASET_JSON} lists"
            f" cannot be read: {', '.join(faults[:5])}{more}. Copy the folder again, or start the"
            " command that wrote it again"
        )
    return paths


def _fault(path: str) -> str | None:
    if os.path.islink(path) and not os.path.exists(path):
        return f"is a broken link to {os.readlink(path)}"
    if not os.path.exists(path):
        return "is missing"
    if not os.path.isfile(path):
        return "is no file"
    return None if os.path.getsize(path) else "is empty"
