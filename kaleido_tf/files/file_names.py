"""File names made from ids and splits, and names that differ in nothing but their Unicode form."""

import functools
import hashlib
import os
import pathlib
import unicodedata
import urllib.parse
from collections.abc import Iterable

from kaleido_tf.errors import InputError

_LONGEST = 200  # bytes; file systems allow 255, and endings such as .partial come after
_FOREIGN = '<>:"/\\|?*'
_DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}
"""Names that Windows keeps for devices, with any ending."""


def check_folder_name(name: str, what: str, where: str) -> None:
    """Raises: InputError unless `name` can be the name of a folder on every system, and leads
    nowhere else. Args: what: it names, for messages.
    """
    fault = _fault(name)
    if fault:
        raise InputError(
            f"Needed: a {what} that can be the name of a folder. Received: {name!r}, which {fault}."
            f" Where: {where}."
        )


def _fault(name: str) -> str | None:
    foreign = [sign for sign in name if sign in _FOREIGN or not sign.isprintable()]
    if foreign:
        return f"has {foreign[0]!r}"
    if not name.strip():
        return "is blank"
    if name.startswith("."):
        return "begins with a dot"
    if name != name.strip() or name.endswith("."):
        return "begins or ends with a blank, or ends with a dot"
    if name.split(".")[0].lower() in _DEVICES:
        return "is the name of a device on Windows"
    if len(name.encode()) > _LONGEST:
        return f"is longer than {_LONGEST} bytes"
    return None


def file_name(identifier: str, ending: str) -> str:
    """A file name for an id of any signs and length. Other ids give other names: signs that file
    names cannot have are percent-encoded, and what is too long ends in a digest of the whole.
    """
    name = urllib.parse.quote(identifier, safe=" ")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) + len(ending) > _LONGEST:
        digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        # to be called the same, a shorter id would have to spell the digest of this one
        name = f"{name[: _LONGEST - len(ending) - 17]}~{digest}"
    return name + ending


def picture_names(asked: Iterable[tuple[str, str]]) -> dict[str, str]:
    """File name -> image id of pictures that were asked for as (product id or image id, image id).

    A product may be called as the photo of another one is: then the later one says so.
    """
    files: dict[str, str] = {}
    for identifier, image_id in asked:
        file = file_name(identifier, ".png")
        if files.setdefault(file, image_id) != image_id:
            files[file_name(f"{identifier} (image_id)", ".png")] = image_id
    return files


def present_form(path: str) -> str:
    """`path`, or, if there is nothing, the one file or folder whose name is the same in another
    Unicode form: Macs write "é" as "e" and an accent, others as one sign.

    The folders above it are looked up in the same way.
    """
    if os.path.lexists(path):
        return path
    folder, name = os.path.split(path)
    if not name or name.isascii() and folder.isascii():
        return path
    folder = present_form(folder) if folder else folder
    if not os.path.isdir(folder or "."):
        return path
    forms = _forms_in(folder or ".", os.stat(folder or ".").st_mtime_ns)
    matches = forms.get(unicodedata.normalize("NFC", name), [])
    return os.path.join(folder, matches[0]) if len(matches) == 1 else path


@functools.lru_cache(maxsize=16)  # a catalogue asks for each of its photos
def _forms_in(folder: str, changed: int) -> dict[str, list[str]]:
    """Composed form -> the names in a folder, as it was when it was last `changed`."""
    forms: dict[str, list[str]] = {}
    for entry in pathlib.Path(folder).iterdir():
        forms.setdefault(unicodedata.normalize("NFC", entry.name), []).append(entry.name)
    return forms
