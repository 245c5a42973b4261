import numpy as np
import pytest

from kaleido_tf.evaluation.rank_metrics import area_under_curve, evaluate_retrieval, wilson_interval


def metrics_of(lists, **kwargs):
    """lists: {query: [(score, label), ...]}; the mismatch logit is 0."""
    queries = [query for query, pairs in lists.items() for _ in pairs]
    scores = np.array([score for pairs in lists.values() for score, _ in pairs], float)
    labels = np.array([label for pairs in lists.values() for _, label in pairs])
    return evaluate_retrieval(
        queries, labels, np.stack([np.zeros_like(scores), scores], axis=1), **kwargs
    )


def test_ranks_by_hand():
    found_first = [(5.0, 1), (4.0, 0), (3.0, 0)]
    found_second = [(4.0, 1), (5.0, 0), (3.0, 0)]
    found_seventh = [(1.0, 1)] + [(2.0 + i, 0) for i in range(6)]
    metrics = metrics_of({"a": found_first, "b": found_second, "c": found_seventh})
    assert metrics.rank == {1: 1 / 3, 5: 2 / 3, 10: 1.0, 100: 1.0}
    assert metrics.queries == 3 and metrics.examples == 13
    assert metrics.candidates == (3, 13 / 3, 7)


def test_chance_is_that_of_random_scores():
    metrics = metrics_of({"a": [(1.0, 1)] + [(0.0, 0)] * 100})
    assert metrics.chance[1] == pytest.approx(1 / 101)
    assert metrics.chance[10] == pytest.approx(10 / 101)
    assert metrics.chance[100] == pytest.approx(100 / 101)


def test_ties_count_their_expected_place():
    # The positive shares the best score with three others: first in one order of four.
    tied = {"a": [(2.0, 0), (2.0, 1), (2.0, 0), (2.0, 0), (1.0, 0)]}
    metrics = metrics_of(tied)
    assert metrics.rank[1] == pytest.approx(1 / 4)
    assert metrics.rank[5] == pytest.approx(1.0)
    assert metrics.queries_with_ties == 1


def test_ties_in_file_order_as_the_original():
    first, last = [(2.0, 1), (2.0, 0)], [(2.0, 0), (2.0, 1)]
    assert metrics_of({"a": first}, ties="file_order").rank[1] == 1.0
    assert metrics_of({"a": last}, ties="file_order").rank[1] == 0.0
    assert metrics_of({"a": first}).rank[1] == metrics_of({"a": last}).rank[1] == 0.5


def test_several_positives_with_ties():
    # Two of four equal candidates are right: the first place is right in half of the orders.
    assert metrics_of({"a": [(1.0, 1), (1.0, 1), (1.0, 0), (1.0, 0)]}).rank[1] == pytest.approx(0.5)


def test_query_without_a_positive_is_counted_as_never_found():
    metrics = metrics_of({"a": [(3.0, 1), (1.0, 0)], "b": [(2.0, 0), (1.0, 0)]})
    assert metrics.rank[100] == 0.5
    assert metrics.queries_without_positive == 1


def test_pairs_of_a_query_need_not_stand_together():
    logits = np.array([[0, 3.0], [0, 9.0], [0, 4.0], [0, 8.0]])
    metrics = evaluate_retrieval(["a", "b", "a", "b"], np.array([0, 0, 1, 1]), logits)
    assert metrics.rank[1] == 0.5


def test_accuracy_and_auc_by_hand():
    metrics = metrics_of({"a": [(1.0, 1), (-1.0, 0), (2.0, 0)], "b": [(-1.0, 1)]})
    assert metrics.accuracy == 0.5
    # pairs (positive, negative): 1 > -1, 1 < 2, -1 = -1, -1 < 2 -> (1 + 0 + 0.5 + 0) / 4
    assert metrics.auc == pytest.approx(0.375)


def test_auc_of_one_class_is_not_a_number():
    assert np.isnan(area_under_curve(np.array([True, True]), np.array([1.0, 2.0])))


def test_wilson_interval_by_hand():
    low, high = wilson_interval(21, 100)
    assert (round(low, 4), round(high, 4)) == (0.1417, 0.2998)
    assert wilson_interval(0, 50)[0] == 0.0


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\[N, 2\] logits. Received: 2, \(2,\), \(2, 3\)"):
        evaluate_retrieval(["a", "b"], np.zeros(2), np.zeros([2, 3]))
