"""Safetensors in several files under one index (`model.safetensors.index.json`), as Hugging Face
writes large models.
"""

import os
import pathlib

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.safetensors_file import SafetensorsFile

INDEX = ".safetensors.index.json"
_LISTED = 5


class ShardedSafetensors:
    """The tensors that an index lists, read as `SafetensorsFile` reads those of one file.

    Attributes: path (of the index); `shapes` {name: tuple}; `dtypes` {name: NumPy type}.
    Raises: InputError for an index that is none, a shard that is missing or broken, and a tensor
      that is not in the shard named for it.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = str(path)
        self._shards = _read_index(pathlib.Path(path))
        folder = pathlib.Path(path).parent
        names = sorted(set(self._shards.values()))
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise InputError(
                f"{path} needs the {len(names)} files that it lists. Not found:"
                f" {', '.join(missing[:_LISTED])}"
            )
        self._files = {name: SafetensorsFile(folder / name) for name in names}
        absent = [x for x, shard in self._shards.items() if x not in self._files[shard].shapes]
        if absent:
            raise InputError(
                f"{path} lists tensors that their files do not hold: {', '.join(absent[:_LISTED])}"
            )
        self.shapes = {x: self._files[shard].shapes[x] for x, shard in self._shards.items()}
        self.dtypes = {x: self._files[shard].dtypes[x] for x, shard in self._shards.items()}

    def read(self, name: str) -> np.ndarray:
        """One tensor. Raises: InputError if the index lists none of that name."""
        if name not in self._shards:
            raise InputError(f"{self.path} lists no {name}")
        return self._files[self._shards[name]].read(name)


def _read_index(path: pathlib.Path) -> dict[str, str]:
    """Tensor -> name of the file that holds it, beside the index."""
    shards = read_json_object(path).get("weight_map")
    names = list(shards.values()) if isinstance(shards, dict) and shards else [None]
    # A name is followed to no other folder.
    if not all(isinstance(name, str) and name == os.path.basename(name) != "" for name in names):
        raise InputError(
            f"{path} needs a `weight_map` of tensors to names of the files beside it. Received:"
            f" {str(shards)[:100]}"
        )
    return shards
