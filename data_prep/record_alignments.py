"""Adds alignments to records that are there, without touching their features."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from data_prep import record_writer
from data_prep.alignments import Alignments, AlignmentSettings, Region, align, heat_of_box
from data_prep.words import stem, words_of
from kaleido_tf import records
from kaleido_tf.data.input_files import find_files
from kaleido_tf.errors import InputError
from kaleido_tf.text import Vocabulary


@dataclasses.dataclass(frozen=True)
class NamedBox:
    """A word and where it is seen: `box` (x1, y1, x2, y2) in pixels of the photo, `score` above 0."""

    word: str
    box: tuple[float, float, float, float]
    score: float


@dataclasses.dataclass(frozen=True)
class AlignedRecords:
    """What was done: records, those with a pair, pairs in all."""

    records: int
    aligned: int
    pairs: int


def read_named_boxes(path: str) -> dict[str, list[NamedBox]]:
    """Word-region pairs from elsewhere, by image or product id.

    A line of the file: `{"image_id" or "product_id": ..., "word": ..., "box": [x1, y1, x2, y2], "score": ...}` (score 1 if absent).
    Raises: InputError naming the line.
    """
    if not os.path.isfile(path):
        raise InputError(f"Word-region pairs (JSON lines) are needed. Not found: {path}")
    boxes: dict[str, list[NamedBox]] = {}
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        where = f"{path} line {number}"
        try:
            entry = json.loads(line)
            identifier = entry["image_id"] if "image_id" in entry else entry["product_id"]
            word, box, score = str(entry["word"]), tuple(float(value) for value in entry["box"]), float(entry.get("score", 1.0))
        except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{where}: needed {{image_id or product_id, word, box, score}} as JSON. Received: {line[:80]!r} ({error})") from error
        if len(box) != 4 or not np.isfinite(box).all() or box[0] >= box[2] or box[1] >= box[3] or not 0 < score < np.inf:
            raise InputError(f"{where}: needed a box x1 < x2, y1 < y2 and a score above 0. Received: box {entry['box']}, score {score}")
        boxes.setdefault(str(identifier), []).append(NamedBox(word, box, score))
    if not boxes:
        raise InputError(f"Word-region pairs are needed. {path} holds none")
    return boxes


def regions_of(boxes: list[NamedBox], crop_box: np.ndarray) -> list[Region]:
    """A region a word: the boxes of one word together, as heat maps of the crop (x1, x2, y1, y2 in pixels of the photo)."""
    left, right, top, bottom = (int(value) for value in crop_box)
    regions: dict[str, Region] = {}
    for named in boxes:
        x1, y1, x2, y2 = named.box
        heat = named.score * heat_of_box((x1 - left, y1 - top, x2 - left, y2 - top), right - left, bottom - top)
        if heat.any():  # what lies outside the crop is not in any patch
            word = named.word.lower()
            before = regions.setdefault(stem(word), Region(word, heat))
            regions[stem(word)] = Region(before.word, np.maximum(before.heat, heat))
    return list(regions.values())


def ids_in(pattern: str) -> set[str]:
    """The image and product ids of the records at `pattern`."""
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ("image_id", "product_id")}
    dataset = tf.data.TFRecordDataset(find_files(pattern)).batch(256).map(lambda lines: tf.io.parse_example(lines, spec))
    return {name.decode() for batch in dataset.as_numpy_iterator() for names in batch.values() for name in names}


def align_records(pattern: str, find_regions: Callable[[tf.train.Example], list[Region]], settings: AlignmentSettings,
                  source: str) -> AlignedRecords:
    """Writes the alignments of every record at `pattern` into it, shard by shard; each shard changes as a whole.

    Args: find_regions: the regions of a record. source: what they come from, for `dataset.json`.
    Raises: InputError for records that are not Kaleido-BERT's.
    """
    files = find_files(pattern)
    done = aligned = pairs = 0
    for folder in sorted({os.path.dirname(file) for file in files}):
        dataset = records.read_dataset_json(folder or ".")
        if records.layout_of(dataset, folder) != records.KALEIDO:
            raise InputError(f"Alignments are of kaleido patches. {folder} holds records of layout {dataset['layout']}")
        vocabulary = Vocabulary(pathlib.Path(folder) / "vocab.txt")
        counts = {"records": 0, "aligned": 0, "pairs": 0}
        for file in (file for file in files if os.path.dirname(file) == folder):
            lines = []
            for serialized in tf.data.TFRecordDataset(file).as_numpy_iterator():
                example = tf.train.Example.FromString(serialized)
                found = align(words_of(_ints(example, "token_ids"), vocabulary), find_regions(example), settings)
                _store(example, found)
                lines.append(example.SerializeToString())
                counts["records"] += 1
                counts["aligned"] += len(found.tokens) > 0
                counts["pairs"] += len(found.tokens)
            record_writer.write_shard(pathlib.Path(file), lines)
        record_writer.write_json(
            pathlib.Path(folder) / records.MANIFEST_NAME, {**dataset, "alignments": {**dataclasses.asdict(settings), "source": source, **counts}}
        )
        done, aligned, pairs = done + counts["records"], aligned + counts["aligned"], pairs + counts["pairs"]
    return AlignedRecords(done, aligned, pairs)


def _ints(example: tf.train.Example, name: str) -> list[int]:
    return list(example.features.feature[name].int64_list.value)


def _store(example: tf.train.Example, found: Alignments) -> None:
    feature = example.features.feature
    feature["alignment_tokens"].CopyFrom(tf.train.Feature(int64_list=tf.train.Int64List(value=found.tokens.tolist())))
    feature["alignment_patches"].CopyFrom(tf.train.Feature(int64_list=tf.train.Int64List(value=found.patches.tolist())))
    feature["alignment_scores"].CopyFrom(tf.train.Feature(float_list=tf.train.FloatList(value=found.scores.tolist())))
