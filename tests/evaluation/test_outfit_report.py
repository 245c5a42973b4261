"""Figures of outfits, worked out by hand."""

import numpy as np
import pytest

from kaleido_tf.evaluation.outfit_report import (
    ItemVectors,
    OutfitTest,
    Question,
    choice_scores,
    find,
    same_for_all,
    togetherness,
    verdicts,
)

# Items 0 to 2 are of category 0, items 3 to 5 of category 1.
CATEGORIES = np.array([0, 0, 0, 1, 1, 1])
VECTORS = np.array([[1, 0], [0, 1], [-1, 0], [1, 0], [0, 1], [-1, 0]], float)
TEST = OutfitTest(
    CATEGORIES,
    [
        Question((0,), 3),  # 3 is the nearest of its category
        Question((1,), 5),  # 4 is nearer; 3 and 5 are level behind it
        Question((1, 2), 4),  # the mean (-1/2, 1/2) is as near to 4 as to 5
        Question((4,), 1),
        Question((0,), 0, is_query=False),  # into the gallery of category 0
    ],
    [Question((0,), 3, answers=(4, 3, 5)), Question((1,), 5, answers=(4, 3, 5))],
    (np.array([True, False, True]), [np.array([0, 3]), np.array([0, 5]), np.array([1, 4, 0])]),
)


def test_recall_is_within_the_category_and_a_mean_over_categories():
    found = find(TEST, same_for_all(VECTORS))
    # category 0: 1 of 1 first; category 1: 1, 0 and one half of 3
    assert found.figures["r@1"] == pytest.approx((1 + (1 + 0 + 0.5) / 3) / 2)
    assert found.figures["r@10"] == found.figures["avg"] == 1
    np.testing.assert_allclose(found.firsts, [1, 0, 0.5, 1])


def test_answers_and_outfits():
    scores = choice_scores(TEST, same_for_all(VECTORS))
    np.testing.assert_allclose(scores, [[0, 1, -1], [1, 0, 0]])
    found = find(TEST, same_for_all(VECTORS))
    assert found.figures["fill_in_blank"] == 0.5
    np.testing.assert_allclose(found.chosen, [1, 0])
    # pairs: 0-3: 1; 0-5: -1; of 1, 4, 0 one pair of three is alike
    np.testing.assert_allclose(togetherness(TEST, same_for_all(VECTORS)), [1, -1, 1 / 3])
    assert found.figures["compatibility_auc"] == 1


def test_what_is_asked_depends_on_what_is_wanted():
    """A way to see items that turns them around where category 1 is wanted."""
    turned = ItemVectors(
        VECTORS, lambda items, wanted: VECTORS[items] * np.where(wanted == 1, -1, 1)[:, None]
    )
    found = find(TEST, turned)
    np.testing.assert_allclose(found.firsts, [0, 0.5, 0, 1])
    # the first of a pair asks for the category of the second
    np.testing.assert_allclose(togetherness(TEST, turned)[:2], [0, 0])


def test_chance_is_one_in_the_gallery():
    found = find(TEST, same_for_all(np.zeros([6, 1])))
    assert found.figures["r@1"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert found.figures["fill_in_blank"] == pytest.approx(1 / 3)
    assert found.figures["compatibility_auc"] == 0.5


def test_verdicts_compare_query_by_query():
    chance, model = find(TEST, same_for_all(np.zeros([6, 1]))), find(TEST, same_for_all(VECTORS))
    first, choice = verdicts(TEST, chance, model)
    assert (first.yardstick, first.model) == (pytest.approx(1.5 / 4), pytest.approx(2.5 / 4))
    assert (choice.yardstick, choice.model) == (pytest.approx(1 / 3), 0.5)


def test_without_questions_there_are_no_such_figures():
    found = find(OutfitTest(CATEGORIES, TEST.questions), same_for_all(VECTORS))
    assert set(found.figures) == {"r@1", "r@10", "r@30", "r@50", "avg"}
