"""The `dataset.json` beside the shards of a folder: what its records are."""

import os
import pathlib
from collections.abc import Iterable

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.listed_shards import DATASET_JSON, shard_counts
from kaleido_tf.records.feature_storage import STORAGES
from kaleido_tf.records.record import KALEIDO, LAYOUTS, RECORD_VERSION, Layout


def size_of(files: list[str]) -> int:
    """The feature size, or the pixels a side of the photos, that the `dataset.json` beside each
    file declares; see `declared_by`.
    """
    dataset = declared_by(files)
    return dataset[layout_of(dataset, files[0]).size_key]


def declared_by(files: list[str]) -> dict:
    """What the `dataset.json` beside each file says: its content (of the first folder).

    Raises: InputError if the folders disagree in layout, size or storage, since one model reads
      them all.
    """
    folders = sorted({os.path.dirname(file) for file in files})
    contents = {folder: read_dataset_json(folder or ".") for folder in folders}
    kinds = {
        (
            _size(content, folder),
            layout_of(content, folder).name,
            storage_of(content, folder),
        ): folder
        for folder, content in contents.items()
    }
    if len(kinds) > 1:
        raise InputError(
            f"All records of a run need one size, layout and storage of features. Received: {kinds}"
        )
    return contents[folders[0]]


def _size(dataset: dict, folder: str) -> int:
    key = layout_of(dataset, folder).size_key
    size = dataset.get(key)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise InputError(
            f"{folder or '.'}/{DATASET_JSON}: `{key}` must be a whole number above 0."
            f" Received: {size!r}"
        )
    return size


ALIGNMENTS_ASIDE = "alignments.partial"
"""The folder beside the shards in which new alignments are made, until all are."""


def read_dataset_json(folder: str | pathlib.Path) -> dict:
    """The `dataset.json` beside the shards in `folder`.

    Raises: InputError if it is missing, is no JSON object, or describes records of another version.
    """
    path = pathlib.Path(folder) / DATASET_JSON
    if not path.is_file():
        raise InputError(
            f"Records need their {DATASET_JSON} beside them (it is written when all shards are"
            f" complete). Not found: {path}"
        )
    content = read_json_object(path)
    if content.get("record_version") != RECORD_VERSION:
        raise InputError(
            f"Records of version {RECORD_VERSION} are needed. {path} says"
            f" {content.get('record_version')!r}: write them again with the command that made them"
        )
    return content


def layout_of(dataset: dict, where: str) -> Layout:
    """The layout that a `dataset.json` names; files without a name are Kaleido-BERT's. Raises:
    InputError naming `where`.
    """
    name = dataset.get("layout", KALEIDO.name)
    if not isinstance(name, str) or name not in LAYOUTS:
        raise InputError(
            f"{where}: the records' layout must be one of {', '.join(LAYOUTS)}. Received: {name!r}"
        )
    return LAYOUTS[name]


def storage_of(dataset: dict, where: str) -> str:
    """How a `dataset.json` says that features are stored; float16 where it says nothing. Raises:
    InputError naming `where`.
    """
    storage = dataset.get("feature_storage", STORAGES[0])
    if storage not in STORAGES:
        raise InputError(
            f"{where}: the records' `feature_storage` must be one of {', '.join(STORAGES)}."
            f" Received: {storage!r}"
        )
    return storage


def shares_photos(files: Iterable[str]) -> bool:
    """Whether records of these shards may show photos that others hold (`shared_photos`), as the
    `dataset.json` beside one says; shards without one have none such.
    """
    folders = {os.path.dirname(file) or "." for file in files}
    described = [pathlib.Path(folder) / DATASET_JSON for folder in folders]
    return any(read_json_object(path).get("share_photos") for path in described if path.is_file())


def check_count(file: str, count: int) -> None:
    """A shard cut off between two records can still be read; only its dataset.json knows.

    Raises: InputError if it lists another number than `count`; a file that is not listed may hold
      any.
    """
    folder, name = os.path.split(file)
    declared = (shard_counts(folder or ".") or {}).get(name, count)
    if count != declared:
        raise InputError(
            f"{file}: {declared} records are needed (its {DATASET_JSON}). Received: {count}"
        )
