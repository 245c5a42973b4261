import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kaleido_tf.evaluation.outfit_metrics import (
    compatibility_auc,
    fill_in_the_blank_accuracy,
    outfit_scores,
)


def test_outfits_by_the_mean_of_their_pairs():
    vectors = np.array([[1.0, 0], [2, 1], [0, 3]])
    # products of pairs: 2, 0, 3
    np.testing.assert_allclose(outfit_scores(vectors, [[0, 1], [2, 1, 0], [0, 2]]), [2, 5 / 3, 0])


def test_an_outfit_of_one_item():
    with pytest.raises(ValueError, match=r"at least two items. Received: \[2\]"):
        outfit_scores(np.eye(3), [[0, 1], [2]])


def test_the_answer_with_the_highest_score():
    scores = np.array([[3.0, 1, 2, 0], [1, 1, 0, 0], [0, 5, 1, 2]])
    assert fill_in_the_blank_accuracy(scores, [0, 1, 2]) == pytest.approx((1 + 0.5 + 0) / 3)
    assert fill_in_the_blank_accuracy(np.zeros([7, 4]), np.zeros(7, int)) == pytest.approx(1 / 4)


def test_area_under_the_curve():
    random = np.random.RandomState(3)
    labels, scores = random.randint(0, 2, 90), random.randint(0, 12, 90)
    assert compatibility_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
