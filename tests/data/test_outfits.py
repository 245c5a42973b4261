"""Polyvore's files as FashionViL's release reads them, and those of fill in the blank."""

import json

import pytest

from kaleido_tf.data.outfits import (
    CATEGORIES,
    Outfit,
    read_compatibility,
    read_item_categories,
    read_outfits,
    read_whole_outfits,
)
from kaleido_tf.errors import InputError
from tests import annotation_files

METADATA = "PolyvoreOutfits/polyvore_item_metadata.json"
TEST = "PolyvoreOutfits/ocir_disjoint_test.json"
TRAIN = "PolyvoreOutfits/ocir_disjoint_train.json"


@pytest.fixture
def categories(tmp_path):
    return read_item_categories(annotation_files.write(tmp_path, METADATA))


def as_the_release(outfit):
    return {
        "question_path": [f"{item}.jpg" for item in outfit.items],
        "blank_path": f"{outfit.blank}.jpg",
        "question_id": [int(item) for item in outfit.items],
        "blank_id": int(outfit.blank),
        "question_cat_id": list(outfit.categories),
        "blank_cat_id": outfit.blank_category,
        "fake_data": not outfit.is_query,
    }


def test_records_of_the_release(tmp_path, categories):
    outfits = read_outfits(annotation_files.write(tmp_path, TEST), categories)
    expected = annotation_files.golden()["records"][TEST]
    assert [as_the_release(outfit) for outfit in outfits] == expected


def test_training_outfits_are_whole(tmp_path, categories):
    outfits = read_outfits(annotation_files.write(tmp_path, TRAIN), categories)
    assert outfits == [
        Outfit(("101", "102"), "103", (0, 29), 152),
        Outfit(("104", "103"), "102", (0, 152), 29),
    ]


def test_numbers_of_the_categories():
    assert {name: n for n, name in enumerate(CATEGORIES)} == annotation_files.golden()[
        "category_map"
    ]


def question(**changes):
    return {
        "question": ["101", "104"],
        "blank": "103",
        "answers": ["102", "103"],
        "correct": 1,
        **changes,
    }


def written(path, *rows):
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_answers_of_fill_in_the_blank(tmp_path, categories):
    (outfit,) = read_outfits(written(tmp_path / "questions.json", question()), categories)
    assert outfit == Outfit(("101", "104"), "103", (0, 0), 152, True, ("102", "103"), 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": []}, r"`question` must be .*Received: \[\]"),
        ({"question": "101"}, "`question` must be a list"),
        ({"blank": None}, "`blank` must be .*Received: only answers"),
        ({"question": ["101", "999"]}, "in the items' metadata. Received: 999"),
        ({"answers": ["103", "998"], "correct": 0}, "in the items' metadata. Received: 998"),
        ({"correct": 0}, "place of the blank, 103, .* Received: 0 of 102, 103"),
        ({"correct": 2}, "place of the blank, 103"),
        ({"correct": None}, "`correct` must be a whole number"),
        ({"fake_data": 1}, "`fake_data` must be true or false"),
    ],
)
def test_questions_of_another_form(tmp_path, categories, changes, message):
    path = written(tmp_path / "questions.json", question(), question(**changes))
    with pytest.raises(InputError, match=rf"{message}.*entry 2\)"):
        read_outfits(path, categories)


def test_an_unknown_category(tmp_path):
    def change(content):
        return {**content, "102": {"category_id": "2"}}

    with pytest.raises(InputError, match="one of Polyvore's 153. Received: 2 .*'102'"):
        read_item_categories(annotation_files.write(tmp_path, METADATA, change))


def test_whole_outfits_of_a_split(tmp_path):
    path = tmp_path / "outfits.jsonl"
    rows = [
        {"items": ["a", "b"], "split": "train"},
        {"items": ["c", "d", "e"], "split": "valid"},
        {"items": ["f"], "split": "test"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert read_whole_outfits(path, "valid") == [("c", "d", "e")]
    with pytest.raises(InputError, match=r"two items or more. Received: f .*line 3\)"):
        read_whole_outfits(path)
    with pytest.raises(InputError, match="split 'dev' are needed"):
        read_whole_outfits(path, "dev")


def test_compatibility(tmp_path):
    path = tmp_path / "compatibility.txt"
    path.write_text("1 101 102\n0 103 101  104\n", encoding="utf-8")
    labels, outfits = read_compatibility(path)
    assert labels.tolist() == [True, False] and labels.dtype == bool
    assert outfits == [("101", "102"), ("103", "101", "104")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 a b\n2 a b\n", "0 or 1, and items.*'2 a b' .*line 2"),
        ("1 a b\n\n", "0 or 1, and items.*'' .*line 2"),
        ("0 a\n", "two items or more. Received: a .*line 1"),
        ("", "at least one outfit is needed"),
    ],
)
def test_compatibility_of_another_form(tmp_path, content, message):
    (tmp_path / "c.txt").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_compatibility(tmp_path / "c.txt")


def test_an_item_is_not_its_own_outfit(tmp_path):
    path = tmp_path / "o.jsonl"
    path.write_text('{"items": ["a", "b", "a"], "split": "train"}')
    with pytest.raises(InputError, match="needs different items. Received: a, b, a .*o.jsonl"):
        read_whole_outfits(path)
    (tmp_path / "q.json").write_text('[{"question": ["a", "b"], "blank": "b"}]')
    with pytest.raises(InputError, match="needs different items. Received: a, b, b .*q.json"):
        read_outfits(tmp_path / "q.json")
