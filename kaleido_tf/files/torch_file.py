"""PyTorch files (`.pth`, `.pt`): tensors by name, read one at a time and without running anything
that the file says.

Since PyTorch 1.6 a file is a zip archive of a pickle (`data.pkl`: what there is, see
`torch_opcodes`) and one entry of bare numbers for each storage (`data/0`, `data/1`, …).
"""

import contextlib
import math
import os
import re
import struct
import zipfile
import zlib

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.files.torch_opcodes import BFLOAT16, StoredTensor, read_values

ENDINGS = (".pth", ".pt")
STATES = ("model", "state_dict")
"""Where training scripts keep the weights among other things."""
WHOLE_FILE = "the whole file"

_LARGEST_PICKLE = 64 * 2**20
"""Bytes; that of a thousand tensors has some 100,000."""
_LISTED = 5
_DAMAGED = (
    OSError,
    EOFError,
    NotImplementedError,  # a compression that Python has not
    RuntimeError,  # an entry with a password
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading an archive raises."""
_FLOATS = ("f8", "f4", "f2", BFLOAT16)
_LOCAL_HEADER = 30
"""Bytes before an entry's name, the last four of which are the lengths of name and extra field."""


class TorchFile:
    """A file to read from.

    The weights are the file's one dict of names and tensors: the whole value, or its entry `model`
    or `state_dict`, the first of them that is there.

    Attributes: path; `taken`: which of them, in words; `shapes` {name: tuple}; `dtypes`
      {name: NumPy type}, as they are read: floats of any width as float32; `others`: names beside
      the tensors, which are left unread.
    Raises: InputError for a file of another format or that is cut short, for one whose pickle does
      more than describe values, and for one without tensors by name.
    """

    def __init__(self, path: str | os.PathLike):
        self.path, self._checked = str(path), set()
        with self._opened() as archive:
            self._prefix = self._find_prefix(archive)
            pickle = self._entry(archive, "data.pkl", _LARGEST_PICKLE)
            self._order = self._byte_order(archive)
        state, self.taken = self._find_state(read_values(pickle, self.path))
        self._tensors = {n: value for n, value in state.items() if isinstance(value, StoredTensor)}
        self.others = tuple(name for name in state if name not in self._tensors)
        self.shapes = {name: tensor.shape for name, tensor in self._tensors.items()}
        self.dtypes = {
            name: np.float32 if tensor.kind in _FLOATS else np.dtype(tensor.kind).type
            for name, tensor in self._tensors.items()
        }

    def read(self, name: str) -> np.ndarray:
        """One tensor. Raises: InputError if the file holds none of that name or lacks its bytes."""
        if name not in self._tensors:
            raise InputError(f"{self.path} holds no {name}")
        tensor = self._tensors[name]
        numbers = self._numbers(tensor)
        if math.prod(tensor.shape) == 0:
            return np.zeros(tensor.shape, self.dtypes[name])
        strides = [stride * numbers.itemsize for stride in tensor.strides]
        view = np.lib.stride_tricks.as_strided(
            numbers[tensor.offset :], tensor.shape, strides, writeable=False
        )
        if tensor.kind == BFLOAT16:  # the upper half of a float32
            return (view.astype(np.uint32) << 16).view(np.float32)
        return view.astype(self.dtypes[name])

    @contextlib.contextmanager
    def _opened(self):
        try:
            with open(self.path, "rb") as file:
                start = file.read(512)
            if start[:2] != b"PK":
                raise InputError(self._another_format(start))
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except InputError:
            raise
        except _DAMAGED as error:
            raise InputError(
                f"A PyTorch file is needed. {self.path} cannot be read, is damaged or cut short:"
                f" {error}"
            ) from error

    def _another_format(self, start: bytes) -> str:
        if start[:1] == b"\x80" or start[257:262] == b"ustar":
            return (
                f"A file in the zip format of PyTorch 1.6 or later is needed. {self.path} is in the"
                " format before it, which is not read: in an environment with PyTorch,"
                " torch.save(torch.load(FILE, weights_only=True), NEW) writes it anew"
            )
        return f"A PyTorch file (a zip archive) is needed. {self.path} is none"

    def _find_prefix(self, archive: zipfile.ZipFile) -> str:
        """The folder in the archive that everything lies in, with its slash."""
        found = [name for name in archive.namelist() if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if len(found) != 1:
            raise InputError(
                f"A PyTorch file holds one NAME/data.pkl. {self.path} holds {len(found)}"
            )
        return found[0].removesuffix("data.pkl")

    def _entry(self, archive: zipfile.ZipFile, name: str, most: int) -> bytes:
        """All bytes of an entry that may have at most so many."""
        entry = archive.getinfo(self._prefix + name)
        if entry.file_size > most:
            raise InputError(
                f"{self.path}: {entry.filename} must have at most {most:,} bytes. Received:"
                f" {entry.file_size:,}"
            )
        with archive.open(entry) as file:  # gives no more bytes than `file_size`
            return file.read()

    def _byte_order(self, archive: zipfile.ZipFile) -> str:
        """NumPy's sign for the order of bytes; files before PyTorch 2.1 do not say it."""
        if self._prefix + "byteorder" not in archive.namelist():
            return "<"
        order = self._entry(archive, "byteorder", 64).decode("ascii", "replace").strip()
        if order not in ("little", "big"):
            raise InputError(
                f"{self.path}: the byte order must be little or big. Received: {order[:40]!r}"
            )
        return "<" if order == "little" else ">"

    def _find_state(self, value) -> tuple[dict, str]:
        """The dict of names and tensors, and where it was found."""
        taken = WHOLE_FILE
        entries = value if isinstance(value, dict) else {}
        entry = next((name for name in STATES if _holds_tensors(entries.get(name))), None)
        if entry:
            value, taken = value[entry], f"its entry `{entry}`"
        if not _holds_tensors(value):
            names = [str(name)[:40] for name in entries]
            raise InputError(
                f"A PyTorch file needs a dict of names and tensors, or one in its entry"
                f" {' or '.join(STATES)}. {self.path} holds: "
                + (", ".join(names[:_LISTED]) or f"a {type(value).__name__}")
            )
        return {str(name): held for name, held in value.items()}, taken

    def _numbers(self, tensor: StoredTensor) -> np.ndarray:
        """All numbers of a tensor's storage: a map of the file where they are not compressed."""
        kind = "u2" if tensor.kind == BFLOAT16 else tensor.kind
        dtype = np.dtype(kind).newbyteorder(self._order)
        with self._opened() as archive:
            name = f"{self._prefix}data/{tensor.key}"
            if name not in archive.namelist():
                raise InputError(f"{self.path} is not whole: it lacks {name}")
            entry, needed = archive.getinfo(name), tensor.numbers * dtype.itemsize
            if entry.file_size != needed:
                raise InputError(
                    f"{self.path}: {name} must have {needed:,} bytes. Received: {entry.file_size:,}"
                )
            if entry.compress_type != zipfile.ZIP_STORED or not needed:
                return np.frombuffer(self._entry(archive, f"data/{tensor.key}", needed), dtype)
            archive.open(entry).close()  # compares the entry's own header with the directory's
        numbers = np.memmap(self.path, dtype, "r", self._start(entry, needed), tensor.numbers)
        if tensor.key not in self._checked and zlib.crc32(numbers.data) != entry.CRC:
            raise InputError(f"{self.path} is damaged: {name} has another checksum than it says")
        self._checked.add(tensor.key)
        return numbers

    def _start(self, entry: zipfile.ZipInfo, size: int) -> int:
        """Where the bytes of an entry that is not compressed begin in the file."""
        with open(self.path, "rb") as file:
            file.seek(entry.header_offset)
            header = file.read(_LOCAL_HEADER)
        start = entry.header_offset + _LOCAL_HEADER + sum(struct.unpack("<HH", header[-4:]))
        if start + size > os.path.getsize(self.path):
            raise InputError(f"{self.path} is cut short: {entry.filename} ends behind its end")
        return start


def _holds_tensors(value) -> bool:
    return isinstance(value, dict) and any(isinstance(v, StoredTensor) for v in value.values())
