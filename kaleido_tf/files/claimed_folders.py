"""Folders that belong to one set of settings, so that a second start goes on with what is there and
never mixes.
"""

import os
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import visible_files
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json

SETTINGS_NAME = "settings.json"


def claim_folder(folder: pathlib.Path, settings: dict, outdated: tuple[str, ...] = ()) -> None:
    """Makes `folder` the place of one set of records, or checks that it already is; see
    `claim_settings`.

    Raises: InputError naming the settings that differ (it would mix shards), or a folder with
      foreign shards.
    """
    foreign = visible_files(folder, ".tfrecord") if folder.is_dir() else []
    if foreign and not (folder / SETTINGS_NAME).is_file():
        first = os.path.basename(foreign[0])
        raise InputError(
            f"{folder} holds shards of unknown origin ({first}, ...). Use another --output_dir"
        )
    other = "records made with other settings"
    claim_settings(folder, settings, other, "--output_dir", outdated)


def claim_settings(
    folder: pathlib.Path, settings: dict, other: str, flag: str, outdated: tuple[str, ...] = ()
) -> None:
    """Keeps `settings` (what decides the content) as `settings.json` in `folder`, or checks that
    they are those there.

    Args: other: what the folder holds if they are not. flag: that named the folder. outdated: names
      that older folders have and that do not count any more.
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
    differ = [
        f"{key}: {before.get(key)!r} there, {settings.get(key)!r} now"
        for key in sorted({*before, *settings})
        if before.get(key) != settings.get(key) and key not in outdated
    ]
    if differ:
        raise InputError(f"{folder} holds {other} ({'; '.join(differ)}). Use another {flag}")
    return None
