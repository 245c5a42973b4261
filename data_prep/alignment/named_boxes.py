"""Words with boxes on a photo, from elsewhere, and the regions of a crop that they give."""

import dataclasses
import json
import os

import numpy as np

from data_prep.alignment.alignments import Region, heat_of_box
from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_lines
from kaleido_tf.text import uncased
from kaleido_tf.words import stem


@dataclasses.dataclass(frozen=True)
class NamedBox:
    """A word and where it is seen: `box` (x1, y1, x2, y2) in pixels of the photo; `score` above 0,
    which the scores of its pairs are times.
    """

    word: str
    box: tuple[float, float, float, float]
    score: float


def read_named_boxes(path: str) -> dict[str, list[NamedBox]]:
    """Word-region pairs from elsewhere, by image or product id.

    A line of the file: `{"image_id" or "product_id": ..., "word": ..., "box": [x1, y1, x2, y2],
      "score": ...}` (score 1 if absent).
    Raises: InputError naming the line.
    """
    if not os.path.isfile(path):
        raise InputError(f"Word-region pairs (JSON lines) are needed. Not found: {path}")
    boxes: dict[str, list[NamedBox]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path} line {number}"
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            identifier = entry["image_id"] if "image_id" in entry else entry["product_id"]
            word, box, score = (
                str(entry["word"]),
                tuple(float(value) for value in entry["box"]),
                float(entry.get("score", 1.0)),
            )
            if not isinstance(identifier, str) or not isinstance(entry["box"], list):
                raise TypeError("ids are texts, boxes are lists")
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{where}: needed {{image_id or product_id, word, box, score}} as JSON. Received:"
                f" {line[:80]!r} ({error})"
            ) from error
        if (
            len(box) != 4
            or not np.isfinite(box).all()
            or box[0] >= box[2]
            or box[1] >= box[3]
            or not 0 < score < np.inf
        ):
            raise InputError(
                f"{where}: needed a box x1 < x2, y1 < y2 and a score above 0. Received: box"
                f" {entry['box']}, score {score}"
            )
        boxes.setdefault(str(identifier), []).append(NamedBox(word, box, score))
    if not boxes:
        raise InputError(f"Word-region pairs are needed. {path} holds none")
    return boxes


def regions_of(boxes: list[NamedBox], crop_box: np.ndarray) -> list[Region]:
    """A region a word: the boxes of one word together, each even inside whatever its score, the
    region as sure as the surest of them.

    Args: crop_box: x1, x2, y1, y2 in pixels of the photo.
    """
    left, right, top, bottom = (int(value) for value in crop_box)
    regions: dict[str, Region] = {}
    for named in boxes:
        x1, y1, x2, y2 = named.box
        heat = heat_of_box((x1 - left, y1 - top, x2 - left, y2 - top), right - left, bottom - top)
        if heat.any():  # what lies outside the crop is not in any patch
            word = uncased(named.word)
            before = regions.setdefault(stem(word), Region(word, heat, named.score))
            regions[stem(word)] = Region(
                before.word, np.maximum(before.heat, heat), max(before.score, named.score)
            )
    return list(regions.values())
