"""Small sets of outfits over the squares of `pixel_records`."""

import json
import pathlib

from tests import pixel_records

COUNT = 12


def item(number: int) -> str:
    """The product of a square."""
    return f"P{number:03d}"


def outfit(*numbers: int) -> list[str]:
    """Items by number."""
    return [item(number) for number in numbers]


def write_lines(path: pathlib.Path, rows: list[dict]) -> str:
    """As JSON lines; returns the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def write(folder: pathlib.Path) -> pathlib.Path:
    """Records in `photos`; `outfits.jsonl`, 9 to train on and 4 to evaluate on; two questions with
    three answers in `blanks.json`, and three outfits to be judged in `judged.txt`.
    """
    pixel_records.write(folder / "photos", COUNT)
    train = [{"items": outfit(n, (n + 3) % COUNT), "split": "train"} for n in range(8)]
    train.append({"items": outfit(0, 3, 6), "split": "train"})
    valid = [{"items": outfit(n, (n + 3) % COUNT, n + 6), "split": "valid"} for n in range(4)]
    write_lines(folder / "outfits.jsonl", train + valid)
    blanks = [
        {"question": outfit(0, 3), "blank": item(6), "answers": outfit(7, 6, 8), "correct": 1},
        {"question": outfit(1), "blank": item(4), "answers": outfit(4, 5, 2), "correct": 0},
    ]
    (folder / "blanks.json").write_text(json.dumps(blanks))
    (folder / "judged.txt").write_text("1 P000 P003 P006\n0 P000 P004\n1 P001 P004\n")
    return folder
