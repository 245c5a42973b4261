"""Adds alignments to records that are there, without touching their features."""

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from data_prep import record_writer
from data_prep.alignments import Alignments, AlignmentSettings, Region, align, heat_of_box
from data_prep.words import stem, words_of
from kaleido_tf import records
from kaleido_tf.data.input_files import find_files
from kaleido_tf.errors import InputError
from kaleido_tf.json_files import read_json_object
from kaleido_tf.text import Vocabulary, uncased

_ASIDE = "alignments.partial"


@dataclasses.dataclass(frozen=True)
class NamedBox:
    """A word and where it is seen: `box` (x1, y1, x2, y2) in pixels of the photo; `score` above 0, which the scores of its pairs are times."""

    word: str
    box: tuple[float, float, float, float]
    score: float


@dataclasses.dataclass(frozen=True)
class AlignedRecords:
    """What was done: records; those with a pair; pairs in all. Of the others, which are masked at random: those with no region at all (an
    empty caption), and those none of whose words stands in the text."""

    records: int = 0
    aligned: int = 0
    pairs: int = 0
    without_regions: int = 0
    without_shared_words: int = 0

    def __add__(self, other: "AlignedRecords") -> "AlignedRecords":
        return AlignedRecords(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other))))


def read_named_boxes(path: str) -> dict[str, list[NamedBox]]:
    """Word-region pairs from elsewhere, by image or product id.

    A line of the file: `{"image_id" or "product_id": ..., "word": ..., "box": [x1, y1, x2, y2], "score": ...}` (score 1 if absent).
    Raises: InputError naming the line.
    """
    if not os.path.isfile(path):
        raise InputError(f"Word-region pairs (JSON lines) are needed. Not found: {path}")
    boxes: dict[str, list[NamedBox]] = {}
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path} line {number}"
        if not line.strip():
            continue
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


def _lines(path: str) -> list[str]:
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: needed UTF-8 text. Received: {error}") from error


def regions_of(boxes: list[NamedBox], crop_box: np.ndarray) -> list[Region]:
    """A region a word: the boxes of one word together, each even inside whatever its score, the region as sure as the surest of them.

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
            regions[stem(word)] = Region(before.word, np.maximum(before.heat, heat), max(before.score, named.score))
    return list(regions.values())


def ids_in(pattern: str) -> set[str]:
    """The image and product ids of the records at `pattern`. Raises: InputError for a damaged shard."""
    return {
        example.features.feature[name].bytes_list.value[0].decode()
        for file in find_files(pattern) for example in records.read_shard(file) for name in ("image_id", "product_id")
    }


def align_records(pattern: str, find_regions: Callable[[str, list[tf.train.Example]], list[list[Region]]], settings: AlignmentSettings,
                  source: dict) -> AlignedRecords:
    """Writes the alignments of every record at `pattern` into it.

    The shards of a folder are written aside and take their places together when all are made; a killed run goes on with the
    same command.
    Args: find_regions: (folder, records of a shard) -> the regions of each. source: what they come from, digests included; kept in `dataset.json`.
    Raises: InputError for records that are not Kaleido-BERT's, damaged shards, or a part of a folder only: `dataset.json` speaks of all.
    """
    by_folder: dict[str, list[pathlib.Path]] = {}
    for file in find_files(pattern):
        by_folder.setdefault(os.path.dirname(file) or ".", []).append(pathlib.Path(file))
    for folder, files in by_folder.items():
        check_layout(records.read_dataset_json(folder), folder)
        there = sorted(pathlib.Path(folder).glob("*.tfrecord"))
        if sorted(files) != there:
            raise InputError(f"Whole folders of records are needed: {folder} holds {len(there)} shards. Received: {len(files)} of them, by {pattern}")
    done = AlignedRecords()
    for folder, files in by_folder.items():
        done += _align_folder(pathlib.Path(folder), files, find_regions, settings, source)
    return done


def check_layout(dataset: dict, folder: str) -> None:
    """Raises: InputError unless the records are Kaleido-BERT's."""
    if records.layout_of(dataset, folder) != records.KALEIDO:
        raise InputError(f"Alignments are of kaleido patches. {folder} holds records of layout {dataset['layout']}")


def _align_folder(folder, files, find_regions, settings, source) -> AlignedRecords:
    dataset = records.read_dataset_json(folder)
    vocabulary = Vocabulary(folder / "vocab.txt")
    aside, said = folder / _ASIDE, {**dataclasses.asdict(settings), **source}
    if aside.is_dir() and _said_before(aside) != said:
        shutil.rmtree(aside)  # a killed run with other settings: nothing of it counts
    record_writer.claim_settings(aside, said, "alignments made with other settings", "--records")
    total = AlignedRecords()
    for file in files:
        report = aside / f"{file.stem}.json"
        if not report.is_file():
            counts = _align_shard(file, aside / file.name, vocabulary, find_regions, settings)
            record_writer.write_json(report, dataclasses.asdict(counts))
            print(f"{file}: {counts.aligned} of {counts.records} records have aligned pairs", flush=True)
        total += AlignedRecords(**read_json_object(report))
    # Until all are in place it is not said what they are: training must not take a mixture for either.
    record_writer.write_json(folder / records.MANIFEST_NAME, {**dataset, "alignments": {"unfinished": said}})
    for file in files:
        if (aside / file.name).is_file():  # else this run was killed while it put them in place
            os.replace(aside / file.name, file)
    record_writer.write_json(folder / records.MANIFEST_NAME, {**dataset, "alignments": {**said, **dataclasses.asdict(total)}})
    shutil.rmtree(aside)
    return total


def _said_before(aside: pathlib.Path) -> dict | None:
    path = aside / record_writer.SETTINGS_NAME
    return read_json_object(path) if path.is_file() else None


def _align_shard(file: pathlib.Path, target: pathlib.Path, vocabulary: Vocabulary, find_regions, settings: AlignmentSettings) -> AlignedRecords:
    examples = records.read_shard(str(file))
    counts = AlignedRecords()
    for example, regions in zip(examples, find_regions(str(file.parent), examples), strict=True):
        found = align(words_of(_ints(example, "token_ids"), vocabulary), regions, settings)
        _store(example, found)
        counts += AlignedRecords(1, int(len(found.tokens) > 0), len(found.tokens), int(not regions), int(bool(regions) and not found.shared))
    record_writer.write_shard(target, (example.SerializeToString() for example in examples))
    return counts


def _ints(example: tf.train.Example, name: str) -> list[int]:
    return list(example.features.feature[name].int64_list.value)


def _store(example: tf.train.Example, found: Alignments) -> None:
    feature = example.features.feature
    feature["alignment_tokens"].CopyFrom(tf.train.Feature(int64_list=tf.train.Int64List(value=found.tokens.tolist())))
    feature["alignment_patches"].CopyFrom(tf.train.Feature(int64_list=tf.train.Int64List(value=found.patches.tolist())))
    feature["alignment_scores"].CopyFrom(tf.train.Feature(float_list=tf.train.FloatList(value=found.scores.tolist())))
