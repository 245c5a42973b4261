"""Safetensors files: tensors by name and a few words of metadata, without any code in them. Read
one tensor at a time.
"""

import os
from collections.abc import Callable, Mapping

# Gives NumPy the name bfloat16, which the reader below asks for; TensorFlow brings this package.
import ml_dtypes  # noqa: F401
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import appears_whole

_TYPES = {  # in the file: as it is read
    "F64": np.float32,
    "F32": np.float32,
    "F16": np.float32,
    "BF16": np.float32,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


class SafetensorsFile:
    """A file to read from.

    Attributes: path; `metadata` {str: str}; `shapes` {name: tuple}; `dtypes` {name: NumPy type}, as
      they are read: floats of any width as float32.
    Raises: InputError for a file that is none, is cut short, or holds a type of number that NumPy
      has not.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = str(path)
        with self._open() as file:
            self.metadata = dict(file.metadata() or {})
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no dict)
            self.shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
            types = {name: part.get_dtype() for name, part in slices.items()}
        foreign = [f"{name} ({kind})" for name, kind in types.items() if kind not in _TYPES]
        if foreign:
            raise InputError(
                f"{self.path}: needed tensors of {', '.join(_TYPES)}. Received:"
                f" {', '.join(foreign[:5])}"
            )
        self.dtypes = {name: _TYPES[kind] for name, kind in types.items()}

    def _open(self):
        try:
            return safe_open(self.path, framework="numpy")
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"A safetensors file is needed. {self.path} cannot be read: {error}"
            ) from error

    def read(self, name: str) -> np.ndarray:
        """One tensor. Raises: InputError if the file holds none of that name."""
        if name not in self.shapes:
            raise InputError(f"{self.path} holds no {name}")
        # The file is mapped into memory while it is open: opened for each tensor, what was read
        # before does not stay there.
        with self._open() as file:
            array = file.get_tensor(name)
        return array.astype(self.dtypes[name], copy=False)


def write_safetensors(
    path: str | os.PathLike,
    tensors: Mapping[str, np.ndarray | Callable[[], np.ndarray]],
    metadata: Mapping[str, str],
) -> None:
    """Writes a file; appears whole or not at all.

    Args: tensors: arrays by name; a callable is asked for its array when its turn comes, so that
      the writer holds one copy of the tensors and no second one has to exist. metadata: e.g.
      {"model_type": "kaleidobert"}.
    Raises: InputError if the disk refuses.
    """
    # The writer takes the memory of each array as it lies there, so a transposed one has to be laid
    # out first.
    arrays = {
        name: np.asarray(value() if callable(value) else value, order="C")
        for name, value in tensors.items()
    }
    with appears_whole(path) as partial:
        try:
            save_file(arrays, partial, metadata=dict(metadata))
        except SafetensorError as error:
            raise OSError(error) from error
