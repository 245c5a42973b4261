"""Checkpoints of the project: where they are, and loading weights from one."""

import os
import pathlib

import tensorflow as tf

from kaleido_tf.errors import InputError

DAMAGED = (tf.errors.OpError, ValueError, IndexError, RuntimeError)
"""What TensorFlow's reader raises for damaged files; IndexError is its word for "less bytes than
requested".
"""

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def find_checkpoint(path: str) -> str | None:
    """The prefix of a checkpoint: `path` itself, or the one in the directory `path`; None if there
    is none.

    In a directory that is the latest by its `checkpoint` file, or the only one there (releases come
    without that file).
    Raises: InputError if a directory holds several and does not say which.
    """
    if os.path.isfile(path + ".index"):
        return path
    if not os.path.isdir(path):
        return None
    latest = tf.train.latest_checkpoint(path)
    if latest is not None:
        return latest
    found = sorted(str(index.with_suffix("")) for index in pathlib.Path(path).glob("*.index"))
    if len(found) > 1:
        raise InputError(
            f"One checkpoint is needed. {path} holds {len(found)} ({', '.join(found[:5])}): give"
            " the prefix of one"
        )
    return found[0] if found else None


def is_own_checkpoint(prefix: str) -> bool:
    """Whether a checkpoint is one of this project's (object-based) rather than a TF1 one of the
    original.
    """
    try:
        return _OBJECT_GRAPH in tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    except DAMAGED as error:
        raise InputError(
            f"A checkpoint prefix is needed. {prefix} cannot be read: {error}"
        ) from error


def tasks_of_checkpoint(prefix: str, tasks: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a family's `tasks` whose heads a checkpoint of this project holds."""
    names = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    return tuple(
        task
        for task in tasks
        if any(name.startswith(f"model/named_layers/{task}/") for name in names)
    )


def load_own_checkpoint(model: tf.Module, prefix: str) -> None:
    """Fills every variable of `model` from a checkpoint of this project; slots and further heads
    there are not used.

    Raises: InputError naming what does not fit.
    """
    shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    if not any(name.startswith("model/") for name in shapes):
        raise InputError(f"{prefix} holds no model of this project")
    try:
        tf.train.Checkpoint(model=model).restore(
            prefix
        ).expect_partial().assert_existing_objects_matched()
    except IndexError as error:
        raise InputError(f"{prefix} is damaged: its data are cut short ({error})") from error
    except (AssertionError, *DAMAGED) as error:
        raise InputError(
            f"{prefix} does not fit the model: {str(error).strip().splitlines()[0][:300]}"
        ) from error


def model_files(path: str) -> tuple[pathlib.Path, pathlib.Path]:
    """`config.json` and `vocab.txt` of a model: in the directory `path`, or beside the checkpoint
    prefix `path`.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        folder = folder.parent
    return folder / "config.json", folder / "vocab.txt"
