"""What a run keeps of all its records in memory: ids, sub-categories and texts, but no features.

The table is read once at the start of a run, which also checks every record before the costly work
begins. N = records, T = different texts, S = text length.
"""

import dataclasses
import json
import os

import numpy as np
import tensorflow as tf

from kaleido_tf.data.record_columns import ColumnReader, Columns, check_holders
from kaleido_tf.data.record_vocabulary import check_vocabulary
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.dataset_json import (
    check_count,
    declared_by,
    layout_of,
    read_dataset_json,
    shares_photos,
    storage_of,
)
from kaleido_tf.records.parsing import parse_record
from kaleido_tf.records.record import Layout
from kaleido_tf.records.shared_photos import open_shards
from kaleido_tf.text import Vocabulary, sequence


@dataclasses.dataclass(frozen=True)
class RecordTable:
    """The records of a run, in the order of their files.

    Attributes:
      files: the shards. file_starts: [files + 1] number of the first record of each, and N.
      product_ids, image_ids: [N] str. categories, subcategories: [N] int32.
      views: [N] int32, which view of its photo a record holds (`records.views.VIEWS`); the views of
        a photo share its ids and its product's text.
      texts: [N] int32, the row of each record's own text in `sequences`.
      whole_texts: [N] int32, equal where whole texts are (`texts`: where they are as far as S).
      sequences: [T, S] int32, [CLS] tokens [SEP] and padding. lengths: [T] int32 places used.
      size: floats a patch, or pixels a side of the photos. layout: what of an image a record holds.
      storage: of its features, one of `feature_storage.STORAGES`.
      alignments: what the `dataset.json` of each folder says of its alignments, as JSON; "" if none
        has any.
      left_out: [files] bytes of photos that other records of a shard hold (`shared_photos`); () if
        there are none such.
      contents: the digests of photos and texts in the `dataset.json` of each folder; "" if none has
        one, as in older ones.
    """

    files: tuple[str, ...]
    file_starts: np.ndarray
    product_ids: np.ndarray
    image_ids: np.ndarray
    categories: np.ndarray
    subcategories: np.ndarray
    views: np.ndarray
    texts: np.ndarray
    whole_texts: np.ndarray
    sequences: np.ndarray
    lengths: np.ndarray
    size: int
    layout: Layout
    storage: str
    alignments: str = ""
    contents: str = ""
    left_out: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.product_ids)

    @property
    def shares_photos(self) -> bool:
        """Whether records show photos that others hold."""
        return any(self.left_out)

    @property
    def file_bytes(self) -> list[int]:
        """[files] bytes that the records of each take in memory, every one with its photo."""
        left_out = self.left_out or [0] * len(self.files)
        return [os.path.getsize(file) + left for file, left in zip(self.files, left_out)]

    @property
    def feature_size(self) -> int:
        """Floats a patch. Raises: InputError where records hold pixels."""
        if self.layout.holds_pixels:
            raise InputError(
                f"Records of patch features are needed. {self.files[0]} holds {self.layout.name}"
            )
        return self.size

    def parse(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """One of its records to tensors, as `parse_record`. Raises: InputError as
        `feature_size`.
        """
        return parse_record(serialized, self.feature_size, self.layout, self.storage)

    def records_of_photos(self) -> dict[str, list[int]]:
        """Image id -> the records of its views, in the order of `VIEWS`: the plain one first."""
        found: dict[str, dict[int, int]] = {}
        for number, (image, view) in enumerate(zip(self.image_ids, self.views.tolist())):
            found.setdefault(image, {})[view] = number
        return {image: [views[view] for view in sorted(views)] for image, views in found.items()}


def open_records(
    pattern: str, layout: Layout, size: int, vocabulary: Vocabulary, text_length: int
) -> RecordTable:
    """The records that a `*_input_fp` flag names, held against the model that is to read them.

    Args: layout, size: what the model's config needs; of larger photos it sees a part.
    Raises: InputError for records of another layout, size or vocabulary.
    """
    files = find_files(pattern)
    for folder in _folders_of(files):
        check_vocabulary(folder, vocabulary)
    dataset = declared_by(files)
    found = layout_of(dataset, files[0])
    if found != layout:
        raise InputError(
            f"The model needs records of layout {layout.name}. {pattern} holds {found.name}"
        )
    return read_record_table(files, vocabulary, text_length, size)


def _check_size(declared: int, needed: int, layout: Layout, folder: str) -> None:
    if layout.holds_pixels and declared < needed:
        raise InputError(
            f"The model's `image_side` is {needed} pixels, the photos in {folder} have {declared} a"
            f" side. Write them with --image_size={needed} or more, or use a config.json that fits"
        )
    if not layout.holds_pixels and declared != needed:
        raise InputError(
            f"The model's `patch_feature_size` is {needed}, the records in {folder} hold"
            f" {declared} floats a patch. Use a config.json or records that fit"
        )


def read_record_table(
    files: list[str], vocabulary: Vocabulary, text_length: int, size: int
) -> RecordTable:
    """Reads the table of `files`, checking version, size and token ids of every record.

    Args: size: what the model's config says, as `open_records`.
    Raises: InputError naming file and record.
    """
    dataset = declared_by(files)
    layout = layout_of(dataset, files[0])
    _check_size(dataset[layout.size_key], size, layout, os.path.dirname(files[0]))
    size = dataset[layout.size_key]
    storage = storage_of(dataset, files[0])
    columns, starts, left_out = [], [0], []
    shared = shares_photos(files)
    reader = ColumnReader(layout, size, storage, len(vocabulary), shared)
    for file, parts in zip(files, reader.read(files), strict=True):
        count = sum(len(part["product_id"]) for part in parts)
        check_count(file, count)
        left_out.append(check_holders(file, parts))
        columns += parts
        starts.append(starts[-1] + count)
    if not starts[-1]:
        raise InputError(f"Records are needed. {len(files)} file(s) hold none: {files[0]}")
    token_ids = [ids for part in columns for ids in part["token_ids"]]
    texts, sequences, lengths = _distinct_sequences(token_ids, text_length, vocabulary)
    return RecordTable(
        files=tuple(files),
        file_starts=np.array(starts),
        product_ids=_strings(columns, "product_id"),
        image_ids=_strings(columns, "image_id"),
        categories=np.concatenate([part["category_id"] for part in columns]).astype(np.int32),
        subcategories=np.concatenate([part["subcategory_id"] for part in columns]).astype(np.int32),
        views=np.concatenate([part["view"] for part in columns]).astype(np.int32),
        texts=texts,
        whole_texts=_numbered(token_ids),
        sequences=sequences,
        lengths=lengths,
        size=size,
        layout=layout,
        storage=storage,
        alignments=_alignments_in(files),
        contents=_contents_of(files),
        left_out=tuple(left_out) if shared else (),
    )


def _folders_of(files: list[str]) -> list[str]:
    return sorted({os.path.dirname(file) or "." for file in files})


def _contents_of(files: list[str]) -> str:
    digests = [read_dataset_json(folder).get("content_digest") for folder in _folders_of(files)]
    return ",".join(filter(None, digests))


def _alignments_in(files: list[str]) -> str:
    folders = _folders_of(files)
    alignments_of_folders = [read_dataset_json(folder).get("alignments") for folder in folders]
    for folder, alignments in zip(folders, alignments_of_folders):
        if alignments and "unfinished" in alignments:
            raise InputError(
                f"{folder}: not all shards have the alignments that its dataset.json speaks of,"
                " since data_prep.write_alignments was stopped there or shards were written anew"
                " after it. Start it again with the same command"
            )
    return json.dumps(alignments_of_folders, sort_keys=True) if any(alignments_of_folders) else ""


def _strings(columns: list[Columns], name: str) -> np.ndarray:
    return np.array([value.decode() for part in columns for value in part[name]], dtype=object)


def _distinct_sequences(
    token_ids, text_length, vocabulary
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texts by content: products that share a text (after cutting) must not be each other's
    mismatch.
    """
    rows: dict[bytes, int] = {}
    texts, sequences, lengths = [], [], []
    for ids in token_ids:
        padded, used = sequence(ids, text_length, vocabulary)
        row = rows.setdefault(padded.tobytes(), len(rows))
        if row == len(sequences):
            sequences.append(padded)
            lengths.append(used)
        texts.append(row)
    return np.array(texts, np.int32), np.stack(sequences), np.array(lengths, np.int32)


def _numbered(token_ids: list[np.ndarray]) -> np.ndarray:
    """[N] int32, the same number for the same ids."""
    numbers: dict[bytes, int] = {}
    keys = (np.array(ids, np.int32).tobytes() for ids in token_ids)
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int32)


def read_serialized(table: RecordTable, record: int) -> tf.Tensor:
    """One record of the table, serialized; the records before it in its file are skipped."""
    file = int(np.searchsorted(table.file_starts, record, side="right")) - 1
    return (
        open_shards(table.files[file], table.shares_photos)
        .skip(record - table.file_starts[file])
        .take(1)
        .get_single_element()
    )


def read_all_serialized(table: RecordTable, numbers: np.ndarray) -> np.ndarray:
    """[n] object, bytes: the records of these different `numbers`, in rising order, serialized."""
    wanted = np.zeros(len(table), bool)
    wanted[numbers] = True
    every = open_shards(list(table.files), table.shares_photos).as_numpy_iterator()
    return np.array([record for record, kept in zip(every, wanted) if kept], object)


def read_images(
    table: RecordTable, numbers: np.ndarray, patches: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features and boxes of the records of these `numbers`, read once.

    Args: patches: P, of each record the first ones; None: all of the table's layout.
    Returns: ([N records] int32 row of each record or -1, [I, P, F] float16, [I, P, 5] int32).
    """
    count = patches or table.layout.num_patches
    rows = np.full([len(table)], -1, np.int32)
    rows[np.unique(numbers)] = np.arange(len(np.unique(numbers)))
    features = np.empty([rows.max() + 1, count, table.feature_size], np.float16)
    boxes = np.empty([rows.max() + 1, count, 5], np.int32)

    def parse(serialized):
        example = table.parse(serialized)
        return example["patch_features"][:count], example["patch_boxes"][:count]

    dataset = (
        open_shards(list(table.files), table.shares_photos)
        .map(parse, tf.data.AUTOTUNE, deterministic=True)
        .prefetch(64)
    )
    for number, (patch_features, patch_boxes) in enumerate(dataset.as_numpy_iterator()):
        if rows[number] >= 0:
            features[rows[number]], boxes[rows[number]] = patch_features, patch_boxes
    return rows, features, boxes


def read_evenly(
    table: RecordTable, count: int, patches: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At most `count` records, spread evenly over all shards: (their numbers, features and boxes as
    `read_images`).
    """
    numbers = np.unique(np.linspace(0, len(table) - 1, min(len(table), count)).astype(int))
    return numbers, *read_images(table, numbers, patches)[1:]
