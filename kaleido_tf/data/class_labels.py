"""The classes of records by their names: numbers mean nothing outside of the folder whose
`dataset.json` lists their names.

N = records, C = classes.
"""

import collections
import os
from collections.abc import Sequence

import numpy as np

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.files.listed_shards import DATASET_JSON
from kaleido_tf.records.dataset_json import read_dataset_json

LISTS = {"catepred": "categories", "subcatepred": "subcategories"}
"""Task -> where `dataset.json` lists the names of its classes."""


def class_names(table: RecordTable, task: str) -> np.ndarray:
    """[N] str: the name of each record's class.

    A name that a folder lists twice, of sub-categories in two categories, is `category/name`, as
    data_prep writes it.
    Args: task: of `LISTS`.
    Raises: InputError for a `dataset.json` without the names, or without one that a record needs.
    """
    names = np.empty(len(table), object)
    ids = table.categories if task == "catepred" else table.subcategories
    for file, start, end in zip(table.files, table.file_starts, table.file_starts[1:]):
        folder = os.path.dirname(file) or "."
        listed = _listed(folder, LISTS[task])
        part = _taken(listed, ids[start:end], folder, LISTS[task])
        twice = {name for name, count in collections.Counter(listed).items() if count > 1}
        if twice and task == "subcatepred":
            above = _taken(
                _listed(folder, LISTS["catepred"]),
                table.categories[start:end],
                folder,
                LISTS["catepred"],
            )
            part = [f"{a}/{name}" if name in twice else name for a, name in zip(above, part)]
        names[start:end] = part
    return names


def _listed(folder: str, key: str) -> list[str]:
    listed = read_dataset_json(folder).get(key)
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise InputError(
            f"{folder}/{DATASET_JSON}: recognition needs `{key}`, the list of the names of its"
            f" classes. Received: {str(listed)[:60]}"
        )
    return listed


def _taken(listed: list[str], ids: np.ndarray, folder: str, key: str) -> list[str]:
    if len(ids) and (ids.min() < 0 or ids.max() >= len(listed)):
        wrong = int(ids.max() if ids.max() >= len(listed) else ids.min())
        raise InputError(
            f"{folder}/{DATASET_JSON}: `{key}` must name the class of every record. It lists"
            f" {len(listed)}; a record has number {wrong}"
        )
    return [listed[number] for number in ids]


def labels_of(names: np.ndarray, known: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """([N] int32 labels, names of the classes that are not `known`): a known class has its place in
    `known`, the others follow behind in the order of their names.
    """
    unseen = tuple(sorted(set(names) - set(known)))
    places = {name: place for place, name in enumerate((*known, *unseen))}
    return np.array([places[name] for name in names], np.int32), unseen


def counted_classes(names: np.ndarray, where: str) -> dict[str, int]:
    """Class -> how many of the training photos are of it, in the order of the names.

    Args: names: [photos] str.
    Raises: InputError for fewer than two classes, or so many that most have no second photo to be
      learnt from.
    """
    counts = dict(sorted(collections.Counter(names).items()))
    if len(counts) < 2:
        raise InputError(
            f"Recognition needs photos of at least two classes. {where} holds {len(names)} of one:"
            f" {next(iter(counts))!r}"
        )
    if 2 * len(counts) > len(names):
        raise InputError(
            "Recognition needs at least two training photos a class on average."
            f" {where} holds {len(counts)} classes in {len(names)} photos"
        )
    return counts
