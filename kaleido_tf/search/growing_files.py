"""Files that grow block by block and can be taken up again where the last whole block ended."""

import io
import os
import pathlib
from typing import BinaryIO

import numpy as np

from kaleido_tf.errors import InputError


class GrowingArray:
    """An .npy file of shape [rows, *rest] to which rows are appended; numpy.load reads it once it
    is closed.

    Args: rows: how many of those that are there stay; what follows them is cut off.
    Raises: InputError if fewer are there.
    """

    def __init__(self, path: pathlib.Path, rest: tuple[int, ...], dtype: str, rows: int = 0):
        self._rest, self._dtype, self._rows = rest, np.dtype(dtype), rows
        row_bytes = self._dtype.itemsize * int(np.prod(rest))
        self._file = reopened(path, len(self._header()) + rows * row_bytes if rows else 0)
        if not rows:
            self._file.write(self._header())

    def append(self, array: np.ndarray) -> None:
        """Args: array: [n, *rest]."""
        self._file.write(np.ascontiguousarray(array, self._dtype).data)
        self._rows += len(array)

    def sync(self) -> None:
        """Waits until the disk has all rows."""
        _sync(self._file)

    def close(self) -> None:
        """Writes how many rows there are, and closes the file."""
        self._file.seek(0)
        self._file.write(self._header())
        _sync(self._file)
        self._file.close()

    def _header(self) -> bytes:
        # NumPy leaves blanks after it for a longer first axis: its length is always the same
        stream = io.BytesIO()
        content = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._rows, *self._rest),
        }
        np.lib.format.write_array_header_1_0(stream, content)
        return stream.getvalue()


class GrowingLines:
    """A text file to which whole lines are appended. Args, Raises: as `GrowingArray`, in bytes.

    Attributes: `bytes`, its size.
    """

    def __init__(self, path: pathlib.Path, size: int = 0):
        self.bytes = size
        self._file = reopened(path, size)

    def append(self, lines: list[bytes]) -> None:
        """Args: lines: with their ends."""
        content = b"".join(lines)
        self._file.write(content)
        self.bytes += len(content)

    def sync(self) -> None:
        """Waits until the disk has all lines."""
        _sync(self._file)

    def close(self) -> None:
        """Closes the file."""
        _sync(self._file)
        self._file.close()


def reopened(path: pathlib.Path, size: int) -> BinaryIO:
    """The file at `path`, cut to its first `size` bytes and standing at its end; a new one if
    `size` is 0.
    """
    if not size:
        return path.open("wb")
    there = path.stat().st_size if path.is_file() else 0
    if there < size:
        raise InputError(
            f"{path} was written to byte {size} before. Received: {there} bytes. Remove the folder"
            " and start again"
        )
    file = path.open("r+b")
    file.truncate(size)
    file.seek(size)
    return file


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
