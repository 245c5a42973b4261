"""Writes record shards so that each appears whole or not at all, and a second start skips what is there."""

import json
import os
import pathlib
from collections.abc import Iterable

import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.json_files import read_json_object
from kaleido_tf.whole_files import write_whole


SETTINGS_NAME = "settings.json"


def shard_path(folder: pathlib.Path, number: int, count: int) -> pathlib.Path:
    return folder / f"records-{number:05d}-of-{count:05d}.tfrecord"


def write_shard(path: pathlib.Path, records: Iterable[bytes]) -> int:
    """Writes `records` beside `path`, then renames; returns their number.

    Raises: InputError if the disk refuses (full, read-only); nothing is left under the final name then.
    """
    partial = path.with_name(path.name + ".partial")
    count = 0
    try:
        with tf.io.TFRecordWriter(str(partial)) as writer:
            for record in records:
                writer.write(record)
                count += 1
        os.replace(partial, path)
    except (OSError, tf.errors.OpError) as error:
        partial.unlink(missing_ok=True)
        raise InputError(
            f"Shard {path} could not be written: {error}. Shards finished before it are kept; free some room and start "
            "the same command again"
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return count


def write_json(path: pathlib.Path, content) -> None:
    """Writes JSON beside `path`, then renames it into place."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes a file beside `path`, then renames it into place. Raises: InputError if its folder is missing or the disk refuses."""
    if not path.parent.is_dir():  # folders are made when they are claimed
        raise InputError(f"{path} could not be written: there is no folder {path.parent}")
    write_whole(path, content)


def claim_folder(folder: pathlib.Path, settings: dict) -> None:
    """Makes `folder` the place of one set of records, or checks that it already is; see `claim_settings`.

    Raises: InputError naming the settings that differ (it would mix shards), or a folder with foreign shards.
    """
    foreign = sorted(path.name for path in folder.glob("*.tfrecord"))
    if foreign and not (folder / SETTINGS_NAME).is_file():
        raise InputError(f"{folder} holds shards of unknown origin ({foreign[0]}, ...). Use another --output_dir")
    claim_settings(folder, settings, "records made with other settings", "--output_dir")


def claim_settings(folder: pathlib.Path, settings: dict, other: str, flag: str) -> None:
    """Keeps `settings` (what decides the content) as `settings.json` in `folder`, or checks that they are those there.

    Args: other: what the folder holds if they are not. flag: that named the folder.
    Raises: InputError naming the settings that differ.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{flag} cannot be made: {folder} ({error})") from error
    path = folder / SETTINGS_NAME
    if not path.is_file():
        return write_json(path, settings)
    before = read_json_object(path)
    differ = [f"{key}: {before.get(key)!r} there, {settings.get(key)!r} now" for key in sorted({*before, *settings})
              if before.get(key) != settings.get(key)]
    if differ:
        raise InputError(f"{folder} holds {other} ({'; '.join(differ)}). Use another {flag}")
    return None
