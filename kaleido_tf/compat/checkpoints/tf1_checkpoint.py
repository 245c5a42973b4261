"""TF1 checkpoints: tensors by name in `PREFIX.index` and `PREFIX.data-…`, as
tf.compat.v1.train.Saver keeps them.

Read one tensor at a time, and written so that the Saver reads them. Whose names they are is of no
concern here.
"""

import math
import os
import pathlib
import re
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from kaleido_tf.errors import InputError, tensorflow_reason
from kaleido_tf.files.whole_files import appear_together, write_whole
from kaleido_tf.training.checkpoints import DAMAGED, open_checkpoint

_SLOTS = (
    "Adam",
    "Adam_1",
    "AdamWeightDecayOptimizer",
    "AdamWeightDecayOptimizer_1",
    "adam_m",
    "adam_v",
)
_COUNTERS = ("beta1_power", "beta2_power", "global_step")


def is_optimizer_slot(name: str) -> bool:
    """Whether a variable belongs to the training and not to the model: moments of the EasyTransfer
    optimizers or of Google BERT's, powers of beta, and the step counter.
    """
    *scope, last = name.split("/")
    return last in _COUNTERS or (bool(scope) and last in _SLOTS)


class Tf1Checkpoint:
    """An open checkpoint.

    Attributes: prefix (also as `path`); `shapes` {name: tuple}; `dtypes` {name: tf.DType}.
    Raises: InputError for a path that is no checkpoint prefix, and for data files that are missing
      or cut short.
    """

    def __init__(self, prefix: str | os.PathLike):
        self.prefix = self.path = str(prefix)
        if not os.path.isfile(self.prefix + ".index"):
            raise InputError(
                "A TF1 checkpoint prefix (…/model.ckpt-N) is needed. Not found:"
                f" {self.prefix}.index"
            )
        try:
            self._reader = open_checkpoint(self.prefix)
        except DAMAGED as error:
            raise InputError(f"{self.prefix}.index is damaged: {error}") from error
        self.shapes = {
            name: tuple(shape) for name, shape in self._reader.get_variable_to_shape_map().items()
        }
        self.dtypes = dict(self._reader.get_variable_to_dtype_map())
        self._check_data()

    def _check_data(self) -> None:
        """The reader opens the data only with the first tensor; what is missing is better known
        before the work starts.
        """
        name = re.escape(os.path.basename(self.prefix))
        folder = pathlib.Path(self.prefix).parent
        matches = [
            (path, re.fullmatch(rf"{name}\.data-(\d+)-of-(\d+)", path.name))
            for path in folder.iterdir()
        ]
        parts = [(path, int(match[1]), int(match[2])) for path, match in matches if match]
        if not parts or {number for _, number, _ in parts} != set(range(parts[0][2])):
            raise InputError(
                f"{self.prefix}.index needs its data files {self.prefix}.data-…-of-…. Found:"
                f" {len(parts)}"
            )
        held = sum(path.stat().st_size for path, _, _ in parts)
        numbers = [name for name in self.shapes if self.dtypes[name] != tf.string]
        needed = sum(math.prod(self.shapes[name]) * self.dtypes[name].size for name in numbers)
        if held < needed:
            raise InputError(
                f"The data of {self.prefix} are cut short: needed {needed} bytes, found {held}"
            )

    def read(self, name: str) -> np.ndarray:
        """One tensor. Raises: InputError if the checkpoint holds none of that name, or a damaged
        one.
        """
        if name not in self.shapes:
            raise InputError(f"{self.prefix} holds no {name}")
        try:
            return self._reader.get_tensor(name)
        except DAMAGED as error:
            raise InputError(f"{self.prefix} is damaged at {name}: {error}") from error


def write_tf1_checkpoint(
    prefix: str | os.PathLike, tensors: Mapping[str, np.ndarray | Callable[[], np.ndarray]]
) -> None:
    """Writes a checkpoint and makes it the latest of its folder (file `checkpoint`); appears whole
    or not at all.

    Args: tensors: arrays by name; a callable is asked for its array when its turn comes, so that
      the writer holds one copy of the tensors and no second one has to exist.
    Raises: InputError if there is a checkpoint of that prefix already, or the disk refuses.
    """
    prefix = pathlib.Path(prefix)
    if not tensors:
        raise InputError(f"A checkpoint needs at least one tensor. Received none for {prefix}")
    if prefix.with_name(prefix.name + ".index").exists():
        raise InputError(f"{prefix} exists already and is not replaced. Use another name")
    # Without its index a checkpoint does not exist, so the index comes last.
    with appear_together(prefix, last=".index") as aside:
        try:
            _save(aside / prefix.name, tensors)
        except tf.errors.OpError as error:
            raise OSError(tensorflow_reason(error)) from error
    _make_latest(prefix)


def _save(prefix: pathlib.Path, tensors) -> None:
    names = sorted(tensors)
    # Not tf.convert_to_tensor, which was measured to keep the array beside its copy: nearly twice
    # the memory.
    values = [
        tf.identity(tensors[name]() if callable(tensors[name]) else tensors[name]) for name in names
    ]
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values
    )


def _make_latest(prefix: pathlib.Path) -> None:
    """Writes the folder's `checkpoint`, with paths relative to it so that it can be moved; older
    ones stay listed.
    """
    before = tf.train.get_checkpoint_state(str(prefix.parent))
    older = [
        path
        for path in (before.all_model_checkpoint_paths if before else [])
        if os.path.basename(path) != prefix.name
    ]
    paths = [os.path.basename(path) for path in older] + [prefix.name]
    state = tf.compat.v1.train.generate_checkpoint_state_proto(
        str(prefix.parent.absolute()), prefix.name, paths
    )
    write_whole(prefix.parent / "checkpoint", str(state))
