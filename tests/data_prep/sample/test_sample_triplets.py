"""Drawn triplets: one right answer each, beside others that are easily taken for it."""

import json
import random

import pytest

from data_prep.sample.sample_triplets import (
    DrawnTriplet,
    TripletSizes,
    answers,
    choose_triplets,
    describe_changes,
    draw_groups,
    fits_text,
    traits,
    write_sample_triplets,
)
from kaleido_tf.data.triplets import open_triplets
from kaleido_tf.errors import InputError

SIZES = TripletSizes(train_groups=3, valid_groups=2, group_triplets=4)


@pytest.fixture(scope="module")
def groups():
    return draw_groups(48, seed=5)


@pytest.fixture(scope="module")
def gallery(groups):
    return [product for group in groups for product in group]


def differing(one, other):
    return len(DrawnTriplet(one, other).changes)


def test_no_two_products_are_alike(gallery):
    assert len({product.attributes for product in gallery}) == len(gallery) == 240
    assert [product.index for product in gallery] == list(range(240))


def test_a_group_holds_what_is_easily_taken_for_the_target(groups):
    for reference, target, silent, told, other in groups:
        triplet = DrawnTriplet(reference, target)
        assert 1 <= len(triplet.changes) <= 3
        assert fits_text(triplet, silent) and differing(silent, target) == 1
        assert not fits_text(triplet, told) and differing(told, target) == 1
        assert fits_text(triplet, other) and differing(other, reference) > len(triplet.changes)


def test_every_triplet_has_one_answer(groups, gallery):
    texts = set()
    for group in groups:
        chosen = choose_triplets(group, gallery, 4, random.Random(1))
        assert chosen[0] == DrawnTriplet(*group[:2]) and len(chosen) <= 4
        for triplet in chosen:
            assert answers(triplet, gallery) == [triplet.target]
            assert sum(fits_text(triplet, each) for each in gallery) > 1
            texts.add(describe_changes(triplet, random.Random(1)))
    assert len(texts) > 48
    # A second product that is as the target would be a second answer.
    twice = answers(DrawnTriplet(*groups[0][:2]), [*gallery, groups[0][1]])
    assert len(twice) == 2


def test_a_text_says_what_changes_and_nothing_else(groups):
    for reference, target, *_ in groups:
        triplet = DrawnTriplet(reference, target)
        text = describe_changes(triplet, random.Random(2))
        before, after = traits(reference), traits(target)
        for name in ("colour", "second"):
            changed = name in triplet.changes
            assert not changed or after[name] in text
        if "colour" not in triplet.changes:
            assert "instead of" not in text and not text.startswith("in ")
        for name, option in after.items():
            if name in target.kind.attributes:
                said = any(wording in text for wording in target.kind.attributes[name][option])
                assert said or name not in triplet.changes
        assert before != after


def test_the_same_seed_writes_the_same_and_whole_folders(tmp_path):
    first = write_sample_triplets(tmp_path / "one", SIZES, seed=3)
    second = write_sample_triplets(tmp_path / "two", SIZES, seed=3)
    assert first.read_bytes() == second.read_bytes()
    assert write_sample_triplets(tmp_path / "one", SIZES, seed=3) == first  # nothing is done
    train, valid = (open_triplets(str(first), split) for split in ("train", "valid"))
    assert [sum(not t.is_query for t in part) for part in (train, valid)] == [15, 10]
    rows = [json.loads(line) for line in (tmp_path / "one/products.jsonl").read_text().splitlines()]
    splits = {row["product_id"]: row["split"] for row in rows}
    for part, split in ((train, "train"), (valid, "valid")):
        assert {splits[name] for t in part for name in (t.reference, t.target)} == {split}
    assert all((tmp_path / "one" / row["image"]).is_file() for row in rows) and len(rows) == 25
    with pytest.raises(InputError, match="holds another sample catalogue"):
        write_sample_triplets(tmp_path / "one", SIZES, seed=4)


def test_sizes_are_checked():
    with pytest.raises(InputError, match="At least 1 group of each split .* Received: 3, 0, 4"):
        TripletSizes(3, 0)
