"""FashionIQ's files as FashionViL's release reads them, and those of other shops."""

import json

import numpy as np
import pytest

from kaleido_tf.data.triplets import (
    GARMENT_CLASSES,
    Triplet,
    gallery_only,
    photos_of,
    read_fashion_iq,
    read_triplets,
    target_numbers,
)
from kaleido_tf.errors import InputError
from tests import annotation_files


@pytest.fixture
def folder(tmp_path):
    return annotation_files.write_all(tmp_path) / "FashionIQ"


def as_the_release(triplet, validation):
    record = {"ref_path": triplet.reference, "tar_path": triplet.target, "sentences": triplet.text}
    if validation:
        record |= {
            "target_id": triplet.target_id,
            "fake_data": not triplet.is_query,
            "garment_class": GARMENT_CLASSES.index(triplet.group),
        }
    return record


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("garment_class", ["all", "dress"])
def test_records_of_the_release(folder, split, garment_class):
    expected = annotation_files.golden()["records"][
        f"FashionIQ {split} garment_class={garment_class}"
    ]
    triplets = read_fashion_iq(folder, split, garment_class)
    assert [as_the_release(triplet, split == "val") for triplet in triplets] == expected


def test_the_class_of_files_without_the_field(folder):
    assert [t.group for t in read_fashion_iq(folder, "train")] == ["shirt", "dress", "toptee"]


def test_photos_that_are_no_target_join_the_gallery(folder):
    for name in GARMENT_CLASSES:
        path = folder / "image_splits" / f"split.{name}.train.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps([f"{name}{letter}" for letter in "ABCB"]), encoding="utf-8")
    triplets = read_fashion_iq(folder, "train", "dress", whole_gallery=True)
    assert [(t.target, t.is_query) for t in triplets] == [
        ("dressB", True),
        ("dressA", False),
        ("dressC", False),
    ]
    assert target_numbers(triplets).tolist() == [0, 1, 2]


def test_numbers_of_targets(folder):
    given = read_fashion_iq(folder, "val")
    assert target_numbers(given).tolist() == [100, 101, 0, 1, 200, 201]
    own = [Triplet("a", name, ("x",)) for name in ("q", "p", "q")]
    np.testing.assert_array_equal(target_numbers(own), [0, 1, 0])


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_lines_of_a_split(tmp_path):
    path = lines(
        tmp_path / "triplets.jsonl",
        {"reference": "7", "target": "8", "text": "is red", "split": "train"},
        {
            "reference": "5",
            "target": "8",
            "text": "is red and long",
            "captions": ["is red", "is long"],
            "category": "Coat",
            "split": "valid",
        },
    )
    assert read_triplets(path, "valid") == [Triplet("5", "8", ("is red", "is long"), "Coat")]
    assert [triplet.text for triplet in read_triplets(path)] == ["is red", "is red, is long"]
    with pytest.raises(InputError, match="split 'test' are needed. Received: none"):
        read_triplets(path, "test")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"target": "b", "captions": ["x"]}, "`reference` must be .*Received: only captions, targ"),
        ({"candidate": "a", "captions": ["x"]}, "`target` must be .*Received: only candidate, cap"),
        ({"candidate": "", "target": "b", "captions": ["x"]}, "`candidate` must be .*Received: ''"),
        ({"candidate": "a", "target": "b", "captions": []}, r"`captions` must .*Received: \[\]"),
        ({"candidate": "a", "target": "b"}, "`text` must be a string.*only candidate, target"),
        ({"candidate": "a", "target": "b", "captions": ["", " "]}, "needs a text of what is to ch"),
        (
            {"candidate": "a", "target": "b", "captions": ["x"], "garment_class": 3},
            r"must be 0 \(dress\), 1 \(shirt\), 2 \(toptee\). Received: 3",
        ),
        (
            {"candidate": "a", "target": "b", "captions": ["x"], "fake_data": "no"},
            "`fake_data` must be true or false. Received: 'no'",
        ),
    ],
)
def test_rows_of_another_form(tmp_path, row, message):
    good = {"candidate": "a", "target": "b", "captions": ["x"]}
    with pytest.raises(InputError, match=rf"{message}.*line 2\)"):
        read_triplets(lines(tmp_path / "triplets.jsonl", good, row))


def test_numbers_in_some_rows_only(tmp_path):
    rows = [{"candidate": "a", "target": "b", "captions": ["x"]} for _ in range(2)]
    rows[1]["target_id"] = 4
    with pytest.raises(InputError, match="`target_id` in every row or in none"):
        read_triplets(lines(tmp_path / "triplets.jsonl", *rows))


def test_an_unknown_class_and_a_missing_file(folder):
    with pytest.raises(InputError, match="must be all, dress, shirt, toptee. Received: skirt"):
        read_fashion_iq(folder, "train", "skirt")
    with pytest.raises(InputError, match="cap.shirt.test.json cannot be read"):
        read_fashion_iq(folder, "test")


def test_every_photo_must_be_there(tmp_path):
    triplets = [Triplet("a", "b", ("x",)), *gallery_only(["c.v2", "b"], "", ())]
    for name in ("a.jpg", "b.png"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"every reference and target .* found: c.v2 \(1 of 3\)"):
        photos_of(triplets, tmp_path)
    (tmp_path / "c.v2.jpg").touch()
    files = photos_of(triplets, tmp_path)
    assert files == {
        name: str(tmp_path / file)
        for name, file in (("a", "a.jpg"), ("b", "b.png"), ("c.v2", "c.v2.jpg"))
    }
