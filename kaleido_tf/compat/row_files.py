"""The data files of the original as one long table of rows, any of which can be read at any time.

The original streams its files; here they are indexed once (where each row begins, and whether it has all its columns), so that
the order of rows can be any permutation and a resumed run finds its place. Text rows are described in `row_decoding`; files
named `*.tfrecord` (or listed in a `.list_tfrecord`) hold the same columns as `tf.train.Example`. N = rows.
"""

import hashlib
import os

import numpy as np
import tensorflow as tf

from kaleido_tf.compat.input_schema import Column
from kaleido_tf.compat.row_decoding import decode_examples, decode_rows, wrong_columns
from kaleido_tf.data.input_files import find_files, listed_count
from kaleido_tf.errors import InputError

SUFFIXES = (".csv", ".tfrecord")
"""Which files of a directory are rows."""

_BLOCK = 1 << 24  # bytes indexed at once
_ENDS = 1 << 16  # bytes at each end of a file that count for the digest
_HEADER, _FOOTER = 12, 4  # bytes around a TFRecord: length and its checksum, checksum of the data


class RowFiles:
    """The rows behind a `*_input_fp` flag, in the order of their files.

    Declared lengths are enforced, which the original does not do (see `row_decoding`).

    Attributes:
      files: their paths. schema: the columns.
      listed_count: the number that the first line of a list file gives, or None; the original takes it for the
        number of rows.
      digest: int64, says which rows these are wherever the files lie: made of the order and sizes of the files, where each row
        begins, and the first and last 64 KiB of each file. A change in the middle that keeps all lengths goes unseen.
    """

    def __init__(self, pattern: str, schema: tuple[Column, ...]):
        """Finds and indexes the files, reading each once.

        Args: pattern: a file, a glob, a directory of `*.csv` or of `*.tfrecord`, or a list file.
        Raises: InputError if there is no file or no row, a line is blank or has another number of columns, a TFRecord file is
          damaged, or text and TFRecord files are mixed.
        """
        self.files = tuple(find_files(pattern, SUFFIXES))
        self.schema = schema
        self.listed_count = listed_count(pattern)
        by_name = {file.endswith(".tfrecord") or str(pattern).endswith(".list_tfrecord") for file in self.files}
        if len(by_name) > 1:
            raise InputError(f"Either text rows or *.tfrecord files are needed. Received both: {pattern}")
        self._examples = by_name.pop()
        index = _index_records if self._examples else _index_lines
        self._starts = [index(file, schema) for file in self.files]  # each [rows of the file + 1]
        self._first_rows = np.cumsum([0] + [len(starts) - 1 for starts in self._starts])
        if not len(self):
            raise InputError(f"Rows are needed. {len(self.files)} file(s) hold none: {self.files[0]}")
        self.digest = _digest(self.files, self._starts)

    def __len__(self) -> int:
        return int(self._first_rows[-1])

    def where(self, row: int) -> str:
        """"FILE line N" (lines count from 1) or "FILE record N" (records count from 0), as other messages do."""
        file, number = self._place(row)
        return f"{self.files[file]} record {number}" if self._examples else f"{self.files[file]} line {number + 1}"

    def _place(self, row: int) -> tuple[int, int]:
        """File and number in the file of a row."""
        file = int(np.searchsorted(self._first_rows, row, side="right")) - 1
        return file, int(row - self._first_rows[file])

    def read(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The decoded columns of `rows` [B], in the order asked for; see `row_decoding` for the arrays.

        Several threads may read at once. Checksums of TFRecord files were verified by the index and are not again.
        Raises: InputError naming file, line and column.
        """
        rows = np.asarray(rows, np.int64)
        if len(rows) and not (0 <= rows.min() and rows.max() < len(self)):
            raise IndexError(f"rows 0 to {len(self) - 1} exist, asked for {rows.min()} to {rows.max()}")
        decode = decode_examples if self._examples else decode_rows
        return decode(self._contents(rows), self.schema, lambda number: self.where(rows[number]))

    def _contents(self, rows: np.ndarray) -> list[bytes]:
        """The bytes of `rows`, in their order; read in the order of the files."""
        contents = [b""] * len(rows)
        files = np.searchsorted(self._first_rows, rows, side="right") - 1
        for file in np.unique(files):
            places = np.flatnonzero(files == file)
            with _opened(self.files[file]) as stream:  # of this call alone: threads would move each other's position
                for place in places[np.argsort(rows[places], kind="stable")]:
                    contents[place] = self._content(stream, rows[place])
        return contents

    def _content(self, stream, row: int) -> bytes:
        file, number = self._place(row)
        begin, end = self._starts[file][number : number + 2].tolist()
        begin, end = (begin + _HEADER, end - _FOOTER) if self._examples else (begin, end - 1)
        stream.seek(begin)
        content = stream.read(end - begin)
        if len(content) != end - begin:
            raise InputError(f"{self.where(row)}: {end - begin} bytes are needed. Received: {len(content)}, the file has changed")
        return content


def _opened(file: str):
    try:
        return open(file, "rb")
    except OSError as error:
        raise InputError(f"A file of rows is needed. {file} cannot be read: {error.strerror}") from error


def _index_lines(file: str, schema: tuple[Column, ...]) -> np.ndarray:
    """[lines + 1] int64: where each line begins, and where one after the last would; the number of columns is checked."""
    starts, tabs_before = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
    size, tabs = 0, 0
    with _opened(file) as stream:
        while content := stream.read(_BLOCK):
            block = np.frombuffer(content, np.uint8)
            ends, tab_places = np.flatnonzero(block == ord("\n")), np.flatnonzero(block == ord("\t"))
            starts.append(ends + (size + 1))
            tabs_before.append(np.searchsorted(tab_places, ends) + tabs)
            size, tabs, last = size + len(block), tabs + len(tab_places), content[-1:]
    if size and last != b"\n":  # the last line may go without its end
        starts.append(np.array([size + 1]))
        tabs_before.append(np.array([tabs]))
    starts = np.concatenate(starts)
    columns = np.diff(np.concatenate(tabs_before)) + 1
    blank = np.diff(starts) == 1
    wrong = np.flatnonzero((columns != len(schema)) | blank)
    if len(wrong):
        raise InputError(f"{file} line {wrong[0] + 1}: {wrong_columns(schema, columns[wrong[0]], blank[wrong[0]])}")
    return starts


def _index_records(file: str, schema: tuple[Column, ...]) -> np.ndarray:
    """[records + 1] int64: where each record begins, and the end of the file; checksums are verified."""
    lengths = [np.zeros(0, np.int64)]
    try:
        for batch in tf.data.TFRecordDataset(file).map(tf.strings.length).batch(1024):
            lengths.append(batch.numpy().astype(np.int64))
    except tf.errors.OpError as error:
        read = sum(map(len, lengths))
        raise InputError(
            f"{file}: a whole TFRecord file is needed. Damaged or none within 1024 records after record {read}: {error.message[:300]}"
        ) from error
    return np.cumsum(np.concatenate([np.zeros(1, np.int64), np.concatenate(lengths) + _HEADER + _FOOTER]))


def _digest(files: tuple[str, ...], starts: list[np.ndarray]) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for file, begins in zip(files, starts, strict=True):
        size = os.path.getsize(file)
        digest.update(np.int64(size).tobytes() + begins.tobytes())
        with _opened(file) as stream:
            digest.update(stream.read(_ENDS))
            stream.seek(max(0, size - _ENDS))
            digest.update(stream.read(_ENDS))
    return int.from_bytes(digest.digest(), "little", signed=True)
