"""Adds alignments to records that are there, without touching their features."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable

from data_prep.alignment.alignments import AlignmentSettings, Region, align
from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import SETTINGS_NAME, claim_settings
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.listed_shards import DATASET_JSON
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.records.dataset_json import ALIGNMENTS_ASIDE, layout_of, read_dataset_json
from kaleido_tf.records.record import KALEIDO, Record
from kaleido_tf.records.shards import read_shard, read_shards
from kaleido_tf.text import Vocabulary
from kaleido_tf.words import words_of


@dataclasses.dataclass(frozen=True)
class AlignedRecords:
    """What was done: records; those with a pair; pairs in all. Of the others, which are masked at
    random: those with no region at all (an empty caption), and those none of whose words stands in
    the text.
    """

    records: int = 0
    aligned: int = 0
    pairs: int = 0
    without_regions: int = 0
    without_shared_words: int = 0

    def __add__(self, other: "AlignedRecords") -> "AlignedRecords":
        return AlignedRecords(
            *(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other)))
        )


def ids_in(pattern: str) -> set[str]:
    """The image and product ids of the records at `pattern`. Raises: InputError for a damaged
    shard.
    """
    return {
        name
        for record in read_shards(find_files(pattern))
        for name in (record.image_id, record.product_id)
    }


def align_records(
    pattern: str,
    find_regions: Callable[[str, list[Record]], list[list[Region]]],
    settings: AlignmentSettings,
    source: dict,
) -> AlignedRecords:
    """Writes the alignments of every record at `pattern` into it.

    The shards of a folder are written aside and take their places together when all are made; a
    killed run goes on with the same command.
    Args: find_regions: (folder, records of a shard) -> the regions of each, on its photo as it is;
      a mirrored record gets them mirrored. source: what they come from, digests included; kept in
      `dataset.json`.
    Raises: InputError for records that are not Kaleido-BERT's, damaged shards, or a part of a
      folder only: `dataset.json` speaks of all.
    """
    by_folder: dict[str, list[pathlib.Path]] = {}
    for file in find_files(pattern):
        by_folder.setdefault(os.path.dirname(file) or ".", []).append(pathlib.Path(file))
    for folder, files in by_folder.items():
        check_layout(read_dataset_json(folder), folder)
        there = [pathlib.Path(file) for file in find_files(folder)]
        if sorted(files) != there:
            raise InputError(
                f"Whole folders of records are needed: {folder} holds {len(there)} shards."
                f" Received: {len(files)} of them, by {pattern}"
            )
    done = AlignedRecords()
    for folder, files in by_folder.items():
        done += _align_folder(pathlib.Path(folder), files, find_regions, settings, source)
    return done


def check_layout(dataset: dict, folder: str) -> None:
    """Raises: InputError unless the records are Kaleido-BERT's."""
    if layout_of(dataset, folder) != KALEIDO:
        raise InputError(
            f"Records of layout {KALEIDO.name} are needed, whose patches words are aligned with."
            f" {folder} holds records of layout {dataset['layout']}"
        )


def _align_folder(folder, files, find_regions, settings, source) -> AlignedRecords:
    dataset = read_dataset_json(folder)
    vocabulary = Vocabulary(folder / "vocab.txt")
    aside, origin = folder / ALIGNMENTS_ASIDE, {**dataclasses.asdict(settings), **source}
    # what was made of the shards before photos or texts changed does not count either
    claim = {**origin, "content_digest": dataset.get("content_digest")}
    if aside.is_dir() and _said_before(aside) != claim:
        shutil.rmtree(aside)  # a killed run with other settings: nothing of it counts
    claim_settings(aside, claim, "alignments made with other settings", "--records")
    total = AlignedRecords()
    for file in files:
        report = aside / f"{file.stem}.json"
        if not report.is_file():
            counts = _align_shard(file, aside / file.name, vocabulary, find_regions, settings)
            write_json(report, dataclasses.asdict(counts))
            print(
                f"{file}: {counts.aligned} of {counts.records} records have aligned pairs",
                flush=True,
            )
        total += AlignedRecords(**read_json_object(report))
    # Until all are in place it is not said what they are: training must not take a mixture for
    # either.
    write_json(folder / DATASET_JSON, {**dataset, "alignments": {"unfinished": origin}})
    for file in files:
        if (aside / file.name).is_file():  # else this run was killed while it put them in place
            os.replace(aside / file.name, file)
    write_json(
        folder / DATASET_JSON, {**dataset, "alignments": {**origin, **dataclasses.asdict(total)}}
    )
    shutil.rmtree(aside)
    return total


def _said_before(aside: pathlib.Path) -> dict | None:
    path = aside / SETTINGS_NAME
    return read_json_object(path) if path.is_file() else None


def _align_shard(
    file: pathlib.Path,
    target: pathlib.Path,
    vocabulary: Vocabulary,
    find_regions,
    settings: AlignmentSettings,
) -> AlignedRecords:
    records = read_shard(str(file))
    counts, aligned = AlignedRecords(), []
    for record, regions in zip(records, find_regions(str(file.parent), records), strict=True):
        regions = [region.in_view(record.view) for region in regions]
        alignment = align(words_of(record.token_ids, vocabulary), regions, settings)
        aligned.append(
            record.with_alignments(alignment.tokens, alignment.patches, alignment.scores)
        )
        counts += AlignedRecords(
            1,
            int(len(alignment.tokens) > 0),
            len(alignment.tokens),
            int(not regions),
            int(bool(regions) and not alignment.shared),
        )
    write_shard(target, (record.serialize() for record in aligned))
    return counts
