import itertools

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.places import places_of


def test_places_by_hand():
    scores = np.array([[0.9, 0.5, 0.7, 0.1], [0.2, 0.3, 0.4, 0.1], [0.6, 0.6, 0.6, 0.1]])
    places = places_of([scores[:2], scores[2:]], np.array([1, 2, 0]), np.array([0, 1, 2, 1]))
    assert places.above.tolist() == [2, 0, 0]
    assert places.level.tolist() == [0, 0, 2] and places.winners.tolist() == [1, 1, 1]
    assert places.expected.tolist() == [3, 1, 2]
    assert [places.found(k).round(9).tolist() for k in (1, 2, 3)] == [
        [0, 1, round(1 / 3, 9)],
        [0, 1, round(2 / 3, 9)],
        [1, 1, 1],
    ]


def test_ties_are_the_mean_over_all_orders():
    # one above, then five level: two right, three wrong
    scores, right = np.array([2.0, 1, 1, 1, 1, 1, 0]), [1, 4]
    places = places_of([scores[None]], np.array([7]), np.isin(np.arange(7), right) * 7)
    firsts = [1 + min(order.index(0), order.index(1)) for order in itertools.permutations(range(5))]
    ranks = 1 + np.array(firsts)
    assert places.expected[0] == pytest.approx(ranks.mean())
    for k in range(1, 8):
        assert places.found(k)[0] == pytest.approx((ranks <= k).mean())


def test_constant_scores_give_chance():
    places = places_of([np.zeros([8, 8])], np.arange(8), np.arange(8))
    for k in (1, 5, 8, 50):
        assert places.found(k).mean() == pytest.approx(min(k, 8) / 8)
    assert places.expected.tolist() == [4.5] * 8


def test_wrong_scores():
    groups = np.arange(3)
    with pytest.raises(InputError, match="NaN for query 3"):
        places_of([np.eye(3)[:2], np.full([1, 3], np.nan)], groups, groups)
    with pytest.raises(InputError, match="1 of 3 queries without one"):
        places_of([np.eye(3)], np.array([0, 1, 9]), groups)
    with pytest.raises(ValueError, match=r"blocks \[q, 3\], 3 queries in all"):
        places_of([np.eye(2)], groups, groups)
    with pytest.raises(ValueError, match="scores of 3 queries, at least 1. Received: 2"):
        places_of([np.eye(3)[:2]], groups, groups)
