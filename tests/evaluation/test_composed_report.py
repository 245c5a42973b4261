"""Figures of text-guided retrieval, counted by hand in galleries of a few photos."""

import types

import numpy as np
import pytest

from kaleido_tf.data.triplets import Triplet, gallery_only
from kaleido_tf.evaluation.composed_report import (
    baselines,
    best_of,
    figures_of,
    find,
    galleries_of,
    group_lines,
    line_of,
    metrics_content,
    verdicts,
)

NAMES = "abcdef"
PHOTOS = np.eye(6, dtype=np.float32)
TRIPLETS = [
    Triplet("a", "b", ("x",), "coat"),
    Triplet("b", "c", ("y",), "coat"),
    Triplet("d", "e", ("z",), "hat"),
    *gallery_only("adf", "coat"),
    *gallery_only("d", "hat"),
]


@pytest.fixture
def galleries():
    photos = types.SimpleNamespace(numbers={name: n for n, name in enumerate(NAMES)})
    photos.numbers_of = lambda names: np.array([photos.numbers[name] for name in names])
    return galleries_of(TRIPLETS, photos)


def vectors(*rows):
    return np.array([[row.get(name, 0.0) for name in NAMES] for row in rows], np.float32)


def test_which_photos_are_searched(galleries):
    assert galleries["targets"].sizes == {"coat": 5, "hat": 2}  # a b c d f; d e
    assert galleries["references_and_targets"].sizes == {"coat": 3, "hat": 2}


def test_places_by_hand(galleries):
    """The first query's target comes third: behind its reference and d, a photo of no triplet of
    its class; the second's comes first.
    """
    asked = vectors({"a": 3, "d": 2, "b": 1}, {"c": 1}, {"d": 2, "e": 1})
    found = find(galleries, asked, PHOTOS)
    of_all = {name: found.places[name]["coat"].above.tolist() for name in galleries}
    assert of_all == {
        "targets": [2, 0],
        "references_and_targets": [1, 0],
        "targets_without_reference": [1, 0],
    }
    figures = found.figures()
    assert figures["targets"]["coat_r@1"] == 0.5 and figures["targets"]["hat_r@1"] == 0
    assert figures["targets"]["r@1"] == 0.25  # a class counts as much as another
    assert figures["targets_without_reference"]["hat_r@1"] == 1
    assert figures["targets"]["r@10"] == figures["targets"]["avg"] == found.average == 1
    assert line_of("model", found).startswith("model: targets: R@1 0.2500, R@10 1.0000")
    assert group_lines(found)[0].startswith("  coat (2 queries): R@1 0.5000")


def test_baselines(galleries):
    texts = vectors({"b": 1}, {"b": 1}, {"e": 1})
    found = baselines(galleries, np.array([0, 1, 3]), texts, PHOTOS)
    first = {name: each.figures()["targets"]["r@1"] for name, each in found.items()}
    # a and b are as near to the sum; of the second the reference itself is what the text says
    assert first == {
        "chance": pytest.approx((1 / 5 + 1 / 2) / 2),
        "photo": 0,
        "text": pytest.approx((1 / 2 + 1) / 2),
        "sum": pytest.approx((1 / 4 + 1 / 2) / 2),
    }
    others = found["photo"].figures()["targets_without_reference"]
    assert others["coat_r@1"] == 1 / 4 and others["hat_r@1"] == 1  # one photo is left
    assert best_of(found) in found


def test_verdicts_and_what_is_written(galleries):
    worse = find(galleries, vectors({"a": 1}, {"b": 1}, {"d": 1}), PHOTOS)
    better = find(galleries, vectors({"b": 1}, {"c": 1}, {"e": 1}), PHOTOS)
    average, first = verdicts(worse, better, TRIPLETS)
    assert (average.yardstick, average.model) == (1, 1)  # five photos are all among ten
    assert (first.yardstick, first.model, first.word) == (0, 1, "better")
    assert first.examples == 3
    content = metrics_content(galleries, {"model": better, "photo": worse}, [first])
    assert content["queries"] == 3 and content["verdicts"][0]["verdict"] == "better"
    assert content["figures"]["model"]["targets"] == figures_of(better.places["targets"])
