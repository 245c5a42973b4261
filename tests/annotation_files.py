"""The small annotation files of FashionViL's golden data, and what its release reads from them."""

import functools
import json
import pathlib

from tests.golden_files import fashion_vil, read_json


@functools.cache
def golden() -> dict:
    """`files`: name -> content; `records`: name -> what the release makes of it; `category_map`."""
    return read_json(fashion_vil() / "annotation_records.json")


def write(folder: pathlib.Path, name: str, change=lambda content: content) -> pathlib.Path:
    """Writes one of the files below `folder`, its content as `change` makes it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = change(json.loads(json.dumps(golden()["files"][name])))
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_all(folder: pathlib.Path) -> pathlib.Path:
    """Writes all of them."""
    for name in golden()["files"]:
        write(folder, name)
    return folder
