"""Alignments into records: pairs from elsewhere, at the right words and patches, features
untouched.
"""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from data_prep.alignment.alignments import AlignmentSettings, align
from data_prep.alignment.named_boxes import NamedBox, read_named_boxes, regions_of
from data_prep.alignment.record_alignments import align_records, ids_in
from kaleido_tf import patches
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.parsing import parse_record
from kaleido_tf.records.record import GRIDS
from kaleido_tf.text import Vocabulary
from kaleido_tf.words import Word
from tests import small_records

CROP = [3, 37, 5, 55]  # of small_records: x1, x2, y1, y2


def parsed(folder):
    dataset = tf.data.TFRecordDataset(sorted(str(path) for path in folder.glob("*.tfrecord")))
    return [parse_record(line, small_records.FEATURE_SIZE) for line in dataset]


def box_of_patch(level, place):
    """The box of a patch in pixels of the photo."""
    side = patches.LEVELS[patches.LEVEL_NAMES.index(level)]
    row, column = divmod(place, side)
    width, height = (CROP[1] - CROP[0]) / side, (CROP[3] - CROP[2]) / side
    return (
        CROP[0] + column * width,
        CROP[2] + row * height,
        CROP[0] + (column + 1) * width,
        CROP[2] + (row + 1) * height,
    )


MIDDLE = AlignmentSettings(mass=1.0, overlap=0.9)
FROM = {"source": "boxes.jsonl", "pairs_digest": "abc"}


def button_regions(_, examples):
    """The fourth product's buttons are in the middle of level 3; the second's caption shares no
    word with its text.
    """
    boxes = {
        "P004_1": [NamedBox("Buttons", box_of_patch("camouflage", 4), 0.5)],
        "P002_1": [NamedBox("zebra", box_of_patch("camouflage", 4), 0.5)],
    }
    return [regions_of(boxes.get(example.image_id, []), CROP) for example in examples]


def test_pairs_are_stored_and_nothing_else_changes(tmp_path):
    folder = small_records.write(tmp_path / "records", 7, per_shard=3)
    before = parsed(folder)
    result = align_records(str(folder), button_regions, MIDDLE, FROM)
    assert (
        result.records,
        result.aligned,
        result.without_regions,
        result.without_shared_words,
    ) == (7, 1, 5, 1)
    after = parsed(folder)
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        for name in old:
            if not name.startswith("alignment_"):
                np.testing.assert_array_equal(old[name], new[name])
        if number != 4:
            assert len(new["alignment_tokens"]) == 0
    pairs = set(
        zip(
            after[4]["alignment_tokens"].numpy().tolist(),
            after[4]["alignment_patches"].numpy().tolist(),
        )
    )
    # "a <colour> <kind> with 4 buttons": the sixth word; the middle patch of level 3, and of level
    # 5 the one inside it
    assert pairs == {(5, 5 + 4), (5, 30 + 12)} and len(pairs) == result.pairs
    said = json.loads((folder / "dataset.json").read_text())["alignments"]
    assert said == {
        "mass": 1.0,
        "overlap": 0.9,
        "patches_a_level": 1,
        **FROM,
        "records": 7,
        "aligned": 1,
        "pairs": 2,
        "without_regions": 5,
        "without_shared_words": 1,
    }


def test_mirrored_records_get_mirrored_pairs(tmp_path):
    folder = small_records.write(tmp_path / "records", 6, change=small_records.viewed)
    left = NamedBox("buttons", box_of_patch("camouflage", 3), 1.0)
    align_records(str(folder), lambda _, r: [regions_of([left], CROP)] * len(r), MIDDLE, FROM)
    found = [record["alignment_patches"].numpy().tolist() for record in parsed(folder)]
    # row 1 of level 3, left and right; row 2 of level 5 has a patch inside each
    assert found == [[5 + 3, 30 + 10], [5 + 5, 30 + 14]] * 3


def test_killed_run_changes_nothing_and_goes_on(tmp_path):
    folder = small_records.write(tmp_path / "records", 7, per_shard=3)
    before = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    seen = []

    def killed(where, examples):
        seen.append(len(examples))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return button_regions(where, examples)

    with pytest.raises(KeyboardInterrupt):
        align_records(str(folder), killed, MIDDLE, FROM)
    assert {path.name: path.read_bytes() for path in folder.glob("*.*") if path.is_file()} == before
    align_records(str(folder), killed, MIDDLE, FROM)
    assert seen == [3, 3, 1, 1]  # the two finished shards were not made again
    whole = small_records.write(tmp_path / "whole", 7, per_shard=3)
    align_records(str(whole), button_regions, MIDDLE, FROM)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }


def test_what_a_killed_run_with_other_settings_left_does_not_count(tmp_path):
    folder = small_records.write(tmp_path / "records", 7, per_shard=3)

    def killed(where, examples):
        if len(examples) == 1:
            raise KeyboardInterrupt
        return [[] for _ in examples]

    with pytest.raises(KeyboardInterrupt):
        align_records(str(folder), killed, MIDDLE, {"source": "another"})
    assert align_records(str(folder), button_regions, MIDDLE, FROM).pairs == 2


def test_run_killed_while_shards_took_their_places(tmp_path, monkeypatch):
    folder = small_records.write(tmp_path / "records", 7, per_shard=3)
    replace, calls = os.replace, []

    def killed(source, target):
        if "alignments.partial" in str(source) and "alignments.partial" not in str(target):
            calls.append(target)
            if len(calls) == 2:
                raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            align_records(str(folder), button_regions, MIDDLE, FROM)
    with pytest.raises(InputError, match="not all shards have the alignments .* Start it again"):
        read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)
    result = align_records(str(folder), lambda *_: pytest.fail("made again"), MIDDLE, FROM)
    assert (
        len(read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE))
        == 7
    )
    assert result.pairs == 2 and len(parsed(folder)[4]["alignment_tokens"]) == 2


def test_boxes_of_one_word_are_one_region_and_those_outside_the_crop_none():
    boxes = [
        NamedBox("sleeve", (3, 5, 10, 20), 1.0),
        NamedBox("Sleeves", (30, 5, 37, 20), 0.5),
        NamedBox("bag", (0, 0, 3, 5), 1.0),
    ]
    (region,) = regions_of(boxes, CROP)
    assert (
        region.word == "sleeve"
        and region.heat[0, 0] == pytest.approx(1.0)
        and region.heat[0, -1] == pytest.approx(1.0)
        and region.score == 1.0
    )


@pytest.mark.parametrize(
    "line, message",
    [
        ("{", "line 1: needed .image_id or product_id, word, box, score. as JSON"),
        ('{"word": "x", "box": [0, 0, 1, 1]}', "line 1: needed .*'product_id'"),
        (
            '{"image_id": "a", "word": "x", "box": [5, 0, 1, 1]}',
            r"line 1: needed a box x1 < x2.* Received: box \[5, 0, 1, 1\]",
        ),
        (
            '{"image_id": "a", "word": "x", "box": [0, 0, 1, 1], "score": 0}',
            "score above 0. Received: .* score 0.0",
        ),
        ("[]", "line 1: needed"),
    ],
)
def test_broken_lines_are_named(tmp_path, line, message):
    (tmp_path / "pairs.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=message):
        read_named_boxes(str(tmp_path / "pairs.jsonl"))


def test_missing_or_empty_file_and_other_records_are_named(tmp_path):
    with pytest.raises(InputError, match="Not found: .*gone.jsonl"):
        read_named_boxes(str(tmp_path / "gone.jsonl"))
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(InputError, match="empty.jsonl holds none"):
        read_named_boxes(str(tmp_path / "empty.jsonl"))
    grid = small_records.write(tmp_path / "grid", 5, layout=GRIDS[4])
    with pytest.raises(InputError, match="layout kaleido are needed.* layout grid_4x4"):
        align_records(str(grid), lambda *_: [], AlignmentSettings(), {"source": "x"})


def test_boxes_with_different_scores_all_count():
    """Two sleeves of which a detector is not equally sure: both are the region, and its pairs are
    as sure as the surer.
    """
    boxes = [
        NamedBox("Sleeves", box_of_patch("camouflage", 0), 0.9),
        NamedBox("sleeve", box_of_patch("camouflage", 2), 0.5),
    ]
    found = align(
        [Word("sleeves", "sleev", 0, 1)],
        regions_of(boxes, CROP),
        AlignmentSettings(patches_a_level=2, overlap=0.9),
    )
    assert {5, 7} <= set(found.patches.tolist()) and found.scores == pytest.approx(0.9)


def test_words_are_normalised_as_the_tokenizer_does():
    (region,) = regions_of([NamedBox("Décolleté", (3, 5, 10, 20), 1.0)], CROP)
    assert region.word == "decollete"


def test_part_of_a_folder_is_refused(tmp_path):
    folder = small_records.write(tmp_path / "records", 7, per_shard=3)
    with pytest.raises(
        InputError,
        match="Whole folders of records are needed: .*records holds 3 shards. Received: 1 of them",
    ):
        align_records(str(next(folder.glob("*.tfrecord"))), button_regions, MIDDLE, FROM)


def test_damaged_shard_is_named(tmp_path):
    folder = small_records.write(tmp_path / "records", 7, per_shard=3)
    shard = sorted(folder.glob("*.tfrecord"))[1]
    shard.write_bytes(shard.read_bytes()[:-300])
    for ask in (
        lambda: align_records(str(folder), button_regions, MIDDLE, FROM),
        lambda: ids_in(str(folder)),
    ):
        with pytest.raises(
            InputError,
            match=(
                "records-00001-of-00003.tfrecord is damaged: record 2 cannot be read .*Write it"
                " again"
            ),
        ):
            ask()


def test_pairs_that_are_no_text_and_empty_lines(tmp_path):
    (tmp_path / "pairs.jsonl").write_bytes(
        b'\n{"image_id": "a", "word": "x", "box": [0, 0, 1, 1]}\n\n'
    )
    assert len(read_named_boxes(str(tmp_path / "pairs.jsonl"))["a"]) == 1
    (tmp_path / "pairs.jsonl").write_bytes(
        b'{"image_id": "\xff", "word": "x", "box": [0, 0, 1, 1]}\n'
    )
    with pytest.raises(InputError, match="pairs.jsonl: text in UTF-8 is needed"):
        read_named_boxes(str(tmp_path / "pairs.jsonl"))
