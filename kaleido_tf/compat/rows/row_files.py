"""The data files of the original as one long table of rows, any of which can be read at any time.

The original streams its files; here they are indexed once (where each row begins, and whether it
has all its columns), so that the order of rows can be any permutation and a resumed run finds its
place. Text rows are described in `row_decoding`; files named `*.tfrecord` (or listed in a
`.list_tfrecord`) hold the same columns as `tf.train.Example`, and a folder of
`data_prep.convert_easytransfer` may keep images apart. B = rows read, L = values of a column.
"""

import hashlib
import os
import pathlib

import numpy as np

from kaleido_tf.compat.rows import converted_rows
from kaleido_tf.compat.rows.file_pieces import FilePieces, lines_of, records_of
from kaleido_tf.compat.rows.input_schema import Column
from kaleido_tf.compat.rows.row_decoding import (
    as_batch,
    decode_examples,
    decode_rows,
    field_digests,
)
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files, listed_count, visible_files
from kaleido_tf.files.listed_shards import DATASET_JSON

SUFFIXES = (".csv", ".tfrecord")
"""Which files of a directory are rows."""


class RowFiles:
    """The rows behind a `*_input_fp` flag, in the order of their files.

    Declared lengths are enforced, which the original does not do (see `row_decoding`).

    Attributes:
      files: their paths. schema: the columns.
      listed_count: the number that the first line of a list file gives, or None; the original takes
        it for the number of rows.
      digest: int64, says which rows these are wherever the files lie: made of the order and sizes
        of the files, where each row begins, and the first and last 64 KiB of each file. A change in
        the middle that keeps all lengths goes unseen.
      size: bytes of all files.
    """

    def __init__(self, pattern: str, schema: tuple[Column, ...]):
        """Finds and indexes the files, reading each once.

        Args: pattern: a file, a glob, a directory of `*.csv` or of `*.tfrecord`, a list file, or a
          converted folder.
        Raises: InputError if there is no file or no row, a line is blank or has another number of
          columns, a TFRecord file is damaged, text and TFRecord files are mixed, or a converted
          folder has other columns.
        """
        self.schema = schema
        converted = converted_rows.find_converted(pattern)
        self.listed_count = converted.listed_count if converted else listed_count(pattern)
        self._source = _Converted(converted, schema) if converted else _as_they_are(pattern, schema)
        self.files = self._source.rows.files
        if not len(self):
            raise InputError(
                f"Rows are needed. {len(self.files)} file(s) hold none: {self.files[0]}"
            )
        digest = hashlib.blake2b(
            b"".join(pieces.digest() for pieces in self._source.pieces), digest_size=8
        ).digest()
        self.digest = int.from_bytes(digest, "little", signed=True)
        self.size = sum(
            os.path.getsize(file) for pieces in self._source.pieces for file in pieces.files
        )

    def __len__(self) -> int:
        return len(self._source.rows)

    def where(self, row: int) -> str:
        """What messages call a row: FILE line N (from 1), or FILE record N (from 0)."""
        return self._source.rows.where(row)

    def read(self, rows: np.ndarray, names: set[str] | None = None) -> dict[str, np.ndarray]:
        """The decoded columns of `rows` [B], in the order asked for; see `row_decoding` for the
        arrays.

        Several threads may read at once. Checksums of TFRecord files were verified by the index and
        are not again.
        Args: names: the columns wanted; None: all. Others are not decoded.
        Raises: InputError naming file, line and column.
        """
        columns = [column for column in self.schema if names is None or column.name in names]
        decoded = self._source.read(np.asarray(rows, np.int64), columns)
        return as_batch({column.name: decoded[column.name] for column in columns}, self.schema)

    def digests(self, rows: np.ndarray, names: set[str]) -> list[bytes]:
        """[B] 16 bytes that say what stands in some columns of `rows`: rows of text that is alike
        to the letter agree, and rows of examples whose values do.
        """
        columns = [column for column in self.schema if column.name in names]
        return self._source.digests(np.asarray(rows, np.int64), columns)


def _as_they_are(pattern: str, schema: tuple[Column, ...]) -> "_Lines | _Examples":
    folder = pathlib.Path(pattern)
    if (folder / converted_rows.SETTINGS_NAME).is_file() and not list(folder.glob("rows.list_*")):
        raise InputError(
            f"{pattern} is not complete (no list file): start the command that writes it again"
        )
    lists = visible_files(folder, (".list_csv", ".list_tfrecord")) if folder.is_dir() else []
    own_list = [name for name in lists if os.path.basename(name).startswith("rows.")]
    # a folder that this project wrote: its list says which of the files there are its rows
    files = find_files(own_list[0] if len(own_list) == 1 else pattern, SUFFIXES)
    for folder in {os.path.dirname(file) for file in files}:
        converted = converted_rows.find_converted(folder)
        # else they are plain examples
        if converted and (converted.image_shards or converted.float_type == "float16"):
            raise InputError(
                f"Converted rows are read as a whole: give their folder {folder}. Received:"
                f" {pattern}"
            )
    by_name = {
        file.endswith(".tfrecord") or str(pattern).endswith(".list_tfrecord") for file in files
    }
    if len(by_name) > 1:
        raise InputError(
            f"Either text rows or *.tfrecord files are needed. Received both: {pattern}"
        )
    if by_name.pop():
        return _Examples(records_of(files))
    return _Lines(lines_of(files, schema), schema)


class _Lines:
    """Rows of text."""

    def __init__(self, rows: FilePieces, schema: tuple[Column, ...]):
        self.rows, self.pieces, self._schema = rows, [rows], schema

    def read(self, rows: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        return decode_rows(
            self.rows.contents(rows),
            self._schema,
            lambda number: self.rows.where(rows[number]),
            columns,
        )

    def digests(self, rows: np.ndarray, columns: list[Column]) -> list[bytes]:
        return field_digests(self.rows.contents(rows), self._schema, columns)


class _Examples:
    """Rows of examples that hold all their columns."""

    def __init__(self, rows: FilePieces):
        self.rows, self.pieces = rows, [rows]

    def read(self, rows: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        return decode_examples(
            self.rows.contents(rows), columns, lambda number: self.rows.where(rows[number])
        )

    def digests(self, rows: np.ndarray, columns: list[Column]) -> list[bytes]:
        arrays = [np.ascontiguousarray(array) for array in self.read(rows, columns).values()]
        return [
            hashlib.blake2b(
                b"".join(array[row].tobytes() for array in arrays), digest_size=16
            ).digest()
            for row in range(len(rows))
        ]


class _Converted(_Examples):
    """Rows of a converted folder; those of an image are decoded once a batch, however many rows
    share it.
    """

    def __init__(self, converted: converted_rows.ConvertedRows, schema: tuple[Column, ...]):
        converted.check_schema(schema)
        super().__init__(
            _counted(records_of(converted.files(converted.row_shards)), converted.row_shards)
        )
        self._images = None
        if converted.image_shards:
            self._images = _counted(
                records_of(converted.files(converted.image_shards)), converted.image_shards
            )
            self.pieces.append(self._images)
        self._half = converted.float_type == "float16"

    def read(self, rows: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
        of_image = [
            column for column in columns if self._images and converted_rows.is_image_column(column)
        ]
        of_row = [column for column in columns if column not in of_image] + [
            converted_rows.IMAGE_NUMBER
        ] * bool(of_image)
        decoded = self._decode(self.rows, rows, of_row)
        if of_image:
            numbers = decoded.pop(converted_rows.IMAGE_NUMBER.name).reshape(-1).astype(np.int64)
            wrong = np.flatnonzero((numbers < 0) | (numbers >= len(self._images)))
            if len(wrong):
                raise InputError(
                    f"{self.rows.where(rows[wrong[0]])}: an image of {len(self._images)} is needed."
                    f" Received: number {numbers[wrong[0]]}"
                )
            distinct, image_of = np.unique(numbers, return_inverse=True)
            images = self._decode(self._images, distinct, of_image)
            decoded.update({name: array[image_of] for name, array in images.items()})
        return decoded

    def _decode(
        self, pieces: FilePieces, numbers: np.ndarray, columns: list[Column]
    ) -> dict[str, np.ndarray]:
        half = {
            column.name
            for column in columns
            if self._half and converted_rows.is_float_vector(column)
        }
        stored = converted_rows.stored_columns(columns)
        return decode_examples(
            pieces.contents(numbers), stored, lambda number: pieces.where(numbers[number]), half
        )


def _counted(pieces: FilePieces, shards: dict[str, int]) -> FilePieces:
    """`pieces`, if each file has as many as its dataset.json says: one cut off between two records
    can still be read.
    """
    for file, found, declared in zip(pieces.files, pieces.counts, shards.values(), strict=True):
        if found != declared:
            raise InputError(
                f"{file}: {declared} records are needed (its {DATASET_JSON}). Received: {found}"
            )
    return pieces
