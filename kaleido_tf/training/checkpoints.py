"""Checkpoints of the project: where they are, and loading weights from one."""

import os
import pathlib
import tempfile
from collections.abc import Mapping

import tensorflow as tf

from kaleido_tf.errors import InputError, tensorflow_reason
from kaleido_tf.files.input_files import visible_files

DAMAGED = (tf.errors.OpError, ValueError, IndexError, RuntimeError)
"""What TensorFlow's reader raises for damaged files; IndexError is its word for "less bytes than
requested".
"""

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


class Checkpoint(tf.train.Checkpoint):
    """TensorFlow's, read from a path of any name."""

    def restore(self, save_path, options=None):
        return super().restore(_literal(save_path) if save_path else save_path, options)


class CheckpointManager(tf.train.CheckpointManager):
    """TensorFlow's, in a folder of any name."""

    def _sweep(self) -> None:
        # The base class deletes what a glob of the path matches: nothing of `run[1]`, and in its
        # stead the checkpoints of a folder `run1` beside it.
        while self._max_to_keep and len(self._maybe_delete) > self._max_to_keep:
            prefix, _ = self._maybe_delete.popitem(last=False)
            for file in _files_of(prefix):
                file.unlink(missing_ok=True)


def _files_of(prefix: str) -> list[pathlib.Path]:
    """The files of a checkpoint, its index first, so that a half-deleted one does not exist."""
    path = pathlib.Path(prefix)
    data = sorted(
        file for file in path.parent.iterdir() if file.name.startswith(f"{path.name}.data-")
    )
    return [path.with_name(f"{path.name}.index"), *data]


_LINKS: list[tempfile.TemporaryDirectory] = []
"""Kept to the end of the process: weights of layers that are built later are restored later."""


def _literal(prefix: str) -> str:
    """A prefix for the same files that TensorFlow's reader does not take for a glob."""
    if not set(prefix) & set("*?[\\") or not os.path.isfile(prefix + ".index"):
        return prefix
    _LINKS.append(tempfile.TemporaryDirectory(prefix="checkpoint_"))
    name = os.path.basename(prefix)
    linked = os.path.join(_LINKS[-1].name, "model.ckpt")
    for file in _files_of(prefix):
        os.symlink(file.absolute(), linked + file.name.removeprefix(name))
    return linked


def open_checkpoint(prefix: str):
    """The reader (`tf.train.load_checkpoint`) of a checkpoint at any path. Raises: one of
    `DAMAGED`.
    """
    return tf.train.load_checkpoint(_literal(prefix))


def find_checkpoint(path: str) -> str | None:
    """The prefix of a checkpoint: `path` itself, or the one in the directory `path`; None if there
    is none.

    In a directory that is the latest by its `checkpoint` file, or the only one there (releases come
    without that file). Hidden files are none.
    Raises: InputError if a directory holds several and does not say which, or if the one that its
      `checkpoint` file names is not there.
    """
    if os.path.isfile(path + ".index"):
        return path
    if not os.path.isdir(path):
        return None
    candidates = [file.removesuffix(".index") for file in visible_files(path, ".index")]
    state = tf.train.get_checkpoint_state(path)
    if state is not None and state.model_checkpoint_path and candidates:
        return _latest(path, state.model_checkpoint_path, candidates)
    if len(candidates) > 1:
        raise InputError(
            f"One checkpoint is needed. {path} holds {len(candidates)}"
            f" ({', '.join(candidates[:5])}): give the prefix of one"
        )
    return candidates[0] if candidates else None


def _latest(folder: str, named: str, candidates: list[str]) -> str:
    """The checkpoint that a folder's `checkpoint` file names; that of a folder that was moved may
    hold the path it had.
    """
    here = os.path.join(folder, os.path.basename(named))
    for prefix in (here, named):
        if os.path.isfile(prefix + ".index"):
            return prefix
    raise InputError(
        f"{os.path.join(folder, 'checkpoint')} names {os.path.basename(named)} as the latest"
        f" checkpoint, which is not there. There are: {', '.join(candidates[:5])}. Give the prefix"
        " of one"
    )


def is_own_checkpoint(prefix: str) -> bool:
    """Whether a checkpoint is one of this project's (object-based) rather than a TF1 one of the
    original.
    """
    try:
        return _OBJECT_GRAPH in open_checkpoint(prefix).get_variable_to_shape_map()
    except DAMAGED as error:
        raise InputError(
            f"A checkpoint prefix is needed. {prefix} cannot be read: {tensorflow_reason(error)}"
        ) from error


def tasks_of_checkpoint(prefix: str, tasks: Mapping[str, str]) -> tuple[str, ...]:
    """Those of a family's `tasks`, each with the layer that is there with it, that a checkpoint of
    this project holds.
    """
    names = open_checkpoint(prefix).get_variable_to_shape_map()
    return tuple(
        task
        for task, layer in tasks.items()
        if any(name.startswith(f"model/named_layers/{layer}/") for name in names)
    )


def load_own_checkpoint(model: tf.Module, prefix: str) -> None:
    """Fills every variable of `model` from a checkpoint of this project; slots and further heads
    there are not used.

    Raises: InputError naming what does not fit.
    """
    shapes = open_checkpoint(prefix).get_variable_to_shape_map()
    if not any(name.startswith("model/") for name in shapes):
        raise InputError(f"{prefix} holds no model of this project")
    try:
        Checkpoint(model=model).restore(prefix).expect_partial().assert_existing_objects_matched()
    except IndexError as error:
        raise InputError(f"{prefix} is damaged: its data are cut short ({error})") from error
    except (AssertionError, *DAMAGED) as error:
        raise InputError(f"{prefix} does not fit the model: {tensorflow_reason(error)}") from error


def model_files(path: str) -> tuple[pathlib.Path, pathlib.Path]:
    """`config.json` and `vocab.txt` of a model: in the directory `path`, or beside the checkpoint
    prefix `path`.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        folder = folder.parent
    return folder / "config.json", folder / "vocab.txt"
