"""Small sets of triplets over the squares of `pixel_records`: from one colour to another."""

import json
import pathlib

from tests import pixel_records
from tests.pixel_records import COLOURS

COUNT = 12


def photo(number: int) -> str:
    """The image id of a product's photo."""
    return f"P{number:03d}_1"


def rows(split: str, count: int, first: int = 0, category: str = "garment") -> list[dict]:
    """Triplets from each of `count` photos to the one three numbers on, of the next but two
    colours.
    """
    names = list(COLOURS)
    return [
        {
            "reference": photo(number),
            "target": photo((number + 3) % COUNT),
            "captions": [f"is {names[(number + 3) % COUNT % len(names)]}"],
            "category": category,
            "split": split,
        }
        for number in range(first, first + count)
    ]


def asks_nothing(split: str, number: int, category: str = "garment") -> dict:
    """A row that gives a photo to the gallery alone."""
    name = photo(number)
    row = {"reference": name, "target": name, "captions": [""], "fake_data": True}
    return {**row, "category": category, "split": split}


def write_rows(path: pathlib.Path, content: list[dict]) -> str:
    """As JSON lines; returns the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return str(path)


def write(folder: pathlib.Path) -> pathlib.Path:
    """Records in `photos`, and `triplets.jsonl`: 10 to train on, 7 to evaluate on in two
    categories, and two photos for the gallery alone.
    """
    pixel_records.write(folder / "photos", COUNT)
    content = [
        *rows("train", 10),
        *rows("valid", 4),
        *rows("valid", 3, first=6, category="coat"),
        asks_nothing("valid", 0),
        asks_nothing("valid", 2, "coat"),
    ]
    write_rows(folder / "triplets.jsonl", content)
    return folder
