"""Where the lines of text files, or the records of TFRecord files, lie: each file is read through
once, then any piece at will.

N = pieces (lines or records) of all files together.
"""

import hashlib
import os

import numpy as np

from kaleido_tf.compat.rows.input_schema import Column
from kaleido_tf.compat.rows.row_decoding import wrong_columns
from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import open_text
from kaleido_tf.files.tfrecord_files import HEAD, TAIL, record_starts

_BLOCK = 1 << 24  # bytes indexed at once
_ENDS = 1 << 16  # bytes at each end of a file that count for the digest


class FilePieces:
    """The pieces of `files`, in their order; built by `lines_of` or `records_of`.

    Args: starts: one [pieces of the file + 1] int64 array a file, where each piece begins and one
      after the last would. head, tail: bytes of a piece before and after its content. kind: "line"
        (counted from 1) or "record" (from 0).
    """

    def __init__(
        self, files: tuple[str, ...], starts: list[np.ndarray], head: int, tail: int, kind: str
    ):
        self.files = files
        self.counts = [len(begins) - 1 for begins in starts]
        self._starts, self._head, self._tail, self._kind = starts, head, tail, kind
        self._firsts = np.cumsum([0] + self.counts)

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def where(self, piece: int) -> str:
        """What messages call a piece: FILE line N, or FILE record N."""
        file, number = self._place(piece)
        return f"{self.files[file]} {self._kind} {number + (self._kind == 'line')}"

    def _place(self, piece: int) -> tuple[int, int]:
        """File and number in the file of a piece."""
        file = int(np.searchsorted(self._firsts, piece, side="right")) - 1
        return file, int(piece - self._firsts[file])

    def contents(self, pieces: np.ndarray) -> list[bytes]:
        """The bytes of `pieces`, in the order asked for; several threads may read at once.

        Raises: IndexError for a piece that does not exist, InputError if a file is gone or has
          become shorter.
        """
        if len(pieces) and not (pieces.min() >= 0 and pieces.max() < len(self)):
            raise IndexError(
                f"rows 0 to {len(self) - 1} exist, asked for {pieces.min()} to {pieces.max()}"
            )
        contents = [b""] * len(pieces)
        files = np.searchsorted(self._firsts, pieces, side="right") - 1
        for file in np.unique(files):
            places = np.flatnonzero(files == file)
            # of this call alone: threads would move each other's position
            with _opened(self.files[file]) as stream:
                for place in places[np.argsort(pieces[places], kind="stable")]:
                    contents[place] = self._content(stream, pieces[place])
        return contents

    def _content(self, stream, piece: int) -> bytes:
        file, number = self._place(piece)
        begin, end = self._starts[file][number : number + 2].tolist()
        begin, end = begin + self._head, end - self._tail
        stream.seek(begin)
        content = stream.read(end - begin)
        if len(content) != end - begin:
            raise InputError(
                f"{self.where(piece)}: {end - begin} bytes are needed. Received: {len(content)},"
                " the file has changed"
            )
        return content

    def digest(self) -> bytes:
        """8 bytes that say which pieces these are, wherever the files lie.

        Made of the order and sizes of the files, where each piece begins, and the first and last 64
        KiB of each file: a change in the middle that keeps all lengths goes unseen.
        """
        digest = hashlib.blake2b(digest_size=8)
        for file, begins in zip(self.files, self._starts, strict=True):
            size = os.path.getsize(file)
            digest.update(np.int64(size).tobytes() + begins.tobytes())
            with _opened(file) as stream:
                digest.update(stream.read(_ENDS))
                stream.seek(max(0, size - _ENDS))
                digest.update(stream.read(_ENDS))
        return digest.digest()


def _opened(file: str):
    try:
        return open(file, "rb")
    except OSError as error:
        raise InputError(
            f"A file of rows is needed. {file} cannot be read: {error.strerror}"
        ) from error


def lines_of(files: list[str], schema: tuple[Column, ...]) -> FilePieces:
    """The lines of text files. Raises: InputError for a line that is blank or has other columns
    than `schema`.
    """
    return FilePieces(
        tuple(files), [_line_starts(file, schema) for file in files], head=0, tail=1, kind="line"
    )


def records_of(files: list[str]) -> FilePieces:
    """The records of TFRecord files; checksums are verified here, not again later. Raises:
    InputError for a damaged file.
    """
    return FilePieces(
        tuple(files), [record_starts(file) for file in files], HEAD, TAIL, kind="record"
    )


def _line_starts(file: str, schema: tuple[Column, ...]) -> np.ndarray:
    tabs, last, tabs_before = 0, b"", [np.zeros(1, np.int64)]
    with open_text(file) as stream:
        first = size = stream.tell()  # a byte-order mark is no part of the first line
        starts = [np.array([first])]
        while content := stream.read(_BLOCK):
            block = np.frombuffer(content, np.uint8)
            ends, tab_places = (
                np.flatnonzero(block == ord("\n")),
                np.flatnonzero(block == ord("\t")),
            )
            starts.append(ends + (size + 1))
            tabs_before.append(np.searchsorted(tab_places, ends) + tabs)
            size, tabs, last = size + len(block), tabs + len(tab_places), content[-1:]
    if size > first and last != b"\n":  # the last line may go without its end
        starts.append(np.array([size + 1]))
        tabs_before.append(np.array([tabs]))
    starts = np.concatenate(starts)
    columns = np.diff(np.concatenate(tabs_before)) + 1
    blank = np.diff(starts) == 1
    wrong = np.flatnonzero((columns != len(schema)) | blank)
    if len(wrong):
        raise InputError(
            f"{file} line {wrong[0] + 1}:"
            f" {wrong_columns(schema, columns[wrong[0]], blank[wrong[0]])}"
        )
    return starts
