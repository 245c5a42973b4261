"""What FashionViL's release counts, on its own numbers, and small cases by hand."""

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation import embedding_recall
from kaleido_tf.evaluation.classification import confusion_counts, macro_f1_of_those_met
from kaleido_tf.evaluation.embedding_recall import (
    Lists,
    Vectors,
    category_recall,
    composed_recall,
    general_recall,
    listed_recall,
)
from tests.golden_files import fashion_vil

with np.load(fashion_vil() / "metrics.npz") as _content:
    GOLDEN = dict(_content)
CLASSES = np.array(["dress", "shirt", "toptee"])


def of(folder):
    """The arrays in a folder of the golden file."""
    return {
        key.removeprefix(f"{folder}/"): array
        for key, array in GOLDEN.items()
        if key.startswith(f"{folder}/")
    }


def assert_same(found, expected):
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key] == pytest.approx(float(value), abs=1e-6), key


@pytest.fixture(scope="module")
def sides():
    given = of("retr/in")
    return (
        Vectors(given["image_emb"], given["image_id"]),
        Vectors(given["text_emb"], given["text_id"]),
    )


def test_the_whole_gallery_of_the_release(sides, monkeypatch):
    assert_same(general_recall(*sides), of("retr/full"))
    monkeypatch.setattr(embedding_recall, "BLOCK", 37)
    assert_same(general_recall(*sides), of("retr/full"))


def lists_of(way):
    given = of(f"retr/kaleido_{way}")
    candidates = np.concatenate([given["positive_index"], given["negative_index"]], axis=1)
    return Lists(given["query_index"].astype(int), candidates.astype(int))


def test_lists_of_the_release(sides, monkeypatch):
    monkeypatch.setattr(embedding_recall, "BLOCK", 50)
    found = listed_recall(*sides, [{way: lists_of(way) for way in ("i2t", "t2i")}])
    expected = {
        f"{way}_r@{k}": value
        for way in ("i2t", "t2i")
        for k, value in zip((1, 5, 10), GOLDEN[f"retr/kaleido_{way}/recall_1_5_10"])
    }
    assert_same(found, {**expected, "avg": np.mean(list(expected.values()))})


def test_several_draws_are_averaged(sides):
    whole = {way: lists_of(way) for way in ("i2t", "t2i")}
    half = {way: Lists(one.queries[:65], one.candidates[:65]) for way, one in whole.items()}
    alone = [listed_recall(*sides, [draw]) for draw in (whole, half)]
    both = listed_recall(*sides, [whole, half])
    assert both == pytest.approx({k: (alone[0][k] + alone[1][k]) / 2 for k in both})
    assert alone[0] != alone[1]


def test_composed_recall_of_the_release():
    given = of("fiq/in")
    found = composed_recall(
        Vectors(given["comp_emb"], given["target_id"]),
        Vectors(given["target_emb"], given["target_id"]),
        ~given["fake_data"],
        CLASSES[given["garment_class"]],
    )
    assert_same(found, of("fiq/out"))


def test_category_recall_of_the_release(monkeypatch):
    given = of("ocir/in")
    monkeypatch.setattr(embedding_recall, "BLOCK", 100)
    found = category_recall(
        Vectors(given["query_emb"], given["blank_id"]),
        Vectors(given["target_emb"], given["blank_id"]),
        ~given["fake_data"],
        given["blank_cat_id"],
    )
    assert_same(found, of("ocir/out"))


def test_classes_of_the_release():
    given = of("cls/in")
    confusion = confusion_counts(given["labels"], given["scores"].argmax(axis=1), 7)
    assert np.diag(confusion).sum() / 60 == pytest.approx(float(GOLDEN["cls/out/accuracy"]))
    assert macro_f1_of_those_met(confusion) == pytest.approx(float(GOLDEN["cls/out/macro_f1"]))


def test_a_group_s_gallery_holds_the_targets_of_rows_that_ask_nothing():
    """One query in a line of items that score 12, 11, ... 1; its own target is the eleventh."""
    values = np.arange(12, 0, -1.0)[:, None]
    targets = Vectors(values, np.array([7, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 7]))
    queries = Vectors(np.ones([12, 1]), np.array([11] * 12))
    are_queries = np.arange(12) == 4
    found = composed_recall(queries, targets, are_queries, ["dress"] * 12)
    assert found == {"dress_r@10": 0, "dress_r@50": 1, "avg": 0.5}
    # id 7 a second time is not a second item: with it first, the target would be the twelfth
    groups = ["dress"] * 11 + ["shirt"]
    assert composed_recall(queries, targets, are_queries, groups) == found
    groups = ["shirt"] + ["dress"] * 11  # one item fewer before the target
    assert composed_recall(queries, targets, are_queries, groups)["dress_r@10"] == 1


def test_a_right_item_below_minus_one_stands_behind_what_was_not_compared():
    gallery = Vectors(np.array([[-2.0], [5.0], [4.0], [3.0]]), np.array([0, 1, 2, 3]))
    query = Vectors(np.ones([1, 1]), np.array([0]))
    draw = {
        "i2t": Lists(np.array([0]), np.array([[0, 1]])),
        "t2i": Lists(np.array([0]), np.array([[0]])),
    }
    texts_first = listed_recall(query, gallery, [draw])
    assert texts_first["i2t_r@1"] == 0 and texts_first["i2t_r@5"] == 1
    categories = np.array([3, 3, 8, 8, 8])
    rows = Vectors(np.ones([5, 1]), np.arange(5))
    items = Vectors(np.array([[2.0], [1.0], [-2.0], [0.5], [9.0]]), np.arange(5))
    found = category_recall(rows, items, np.ones(5, bool), categories)
    assert found["r@10"] == 1  # five items


def test_categories_weigh_alike():
    """Sixty items of one category, where one of 20 queries is found, and one item of another."""
    values = np.arange(61, 0, -1.0)[:, None]
    rows = Vectors(np.ones([61, 1]), np.arange(61))
    are_queries = np.isin(np.arange(61), [*range(9, 29), 60])
    categories = np.where(np.arange(61) < 60, 4, 9)
    found = category_recall(rows, Vectors(values, np.arange(61)), are_queries, categories)
    assert found["r@10"] == pytest.approx((1 / 20 + 1) / 2)
    assert found["r@30"] == found["r@50"] == 1


def test_nan_is_refused(sides):
    images, texts = sides
    broken = np.where(np.arange(16) == 3, np.nan, images.values)
    with pytest.raises(InputError, match="Scores must be numbers"):
        general_recall(Vectors(broken, images.ids), texts)


@pytest.mark.parametrize("recall", [composed_recall, category_recall])
def test_rows_that_ask_nothing(recall):
    rows = Vectors(np.eye(3), np.arange(3))
    with pytest.raises(InputError, match="one row that is a query. Received: 3 rows for the gal"):
        recall(rows, rows, np.zeros(3, bool), np.zeros(3, int))
