"""State dicts of PyTorch: weights by the names of the modules that hold them, in a PyTorch file or
a safetensors file.
"""

import os
from collections.abc import Iterable, Mapping

import numpy as np

from kaleido_tf.compat.checkpoints.checkpoint_names import state_dict_of
from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, layers_of_tasks
from kaleido_tf.files.safetensors_file import SafetensorsFile
from kaleido_tf.files.torch_file import ENDINGS, WHOLE_FILE, TorchFile

SAFETENSORS = ".safetensors"
PARALLEL = "module."
"""What names begin with where a model was saved that trained on several GPUs."""


def is_torch_file(path: str | os.PathLike) -> bool:
    """Whether a path is called as PyTorch's files are."""
    return str(path).endswith(ENDINGS)


def type_of(names: Iterable[str]) -> str | None:
    """The type of model whose release's state dicts, or those of networks that it starts from, have
    such names; None for none.
    """
    there = {name.removeprefix(PARALLEL) for name in names}
    types = (name for name in FAMILIES if state_dict_of(name) is not None)
    return next((name for name in types if there.intersection(state_dict_of(name).bodies)), None)


class StateDictFile:
    """A file to read from, whose names lose a `module.` that all of them have, and are those of
    pre-training where a fine-tuned model has others.

    Attributes: path; shapes, dtypes: as `SafetensorsFile`; `model_type`: as `type_of`; `heads`,
      `tasks`: of that type, the layers of the heads that are there, and the tasks of pre-training
      that have one of them, None without a type; `unread`: names there of what is no tensor;
      `taken`: what of the file it is, in words.
    Raises: InputError as `TorchFile` and `SafetensorsFile`.
    """

    def __init__(self, path: str | os.PathLike):
        torch_file = TorchFile(path) if is_torch_file(path) else None
        self._file = torch_file or SafetensorsFile(path)
        self.path, shapes = self._file.path, self._file.shapes
        self.taken = torch_file.taken if torch_file else WHOLE_FILE
        self.unread = torch_file.others if torch_file else ()
        self._theirs = {name: name for name in shapes}
        if all(name.startswith(PARALLEL) for name in shapes):
            self._theirs = {name.removeprefix(PARALLEL): name for name in shapes}
            self.taken += f", without `{PARALLEL}` before the names"
        self.model_type = type_of(self._theirs)
        self.heads = self.tasks = None
        if self.model_type:
            release, layers = state_dict_of(self.model_type), layers_of_tasks(self.model_type)
            self._take_aliases(release.aliases)
            self.heads = tuple(n for n, key in release.heads.items() if key in self._theirs)
            self.tasks = tuple(task for task, layer in layers.items() if layer in self.heads)
        self.shapes = {name: shapes[their] for name, their in self._theirs.items()}
        self.dtypes = {name: self._file.dtypes[their] for name, their in self._theirs.items()}

    def _take_aliases(self, aliases: Mapping[str, str]) -> None:
        for other, name in aliases.items():
            if other in self._theirs and name not in self._theirs:
                self._theirs[name] = self._theirs.pop(other)
                self.taken += f", {other} as {name}"

    def read(self, name: str) -> np.ndarray:
        """One tensor. Raises: InputError if the file holds none of that name or lacks its bytes."""
        if name not in self._theirs:
            raise InputError(f"{self.path} holds no {name}")
        return self._file.read(self._theirs[name])


def has_state_dict(path: str) -> bool:
    """Whether a file of weights is a PyTorch file, or a safetensors file with such names."""
    return is_torch_file(path) or (
        path.endswith(SAFETENSORS) and type_of(SafetensorsFile(path).shapes) is not None
    )


def is_image_network(path: str) -> bool:
    """Whether a state dict is of a network that a model starts from rather than of a model."""
    file = StateDictFile(path)
    release = state_dict_of(file.model_type) if file.model_type else None
    return release is not None and release.whole not in file.shapes
