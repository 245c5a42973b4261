"""F1 scores by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from kaleido_tf.evaluation.classification import class_scores, confusion_counts, f1_figures


def test_by_hand():
    confusion = np.array([[3, 1, 0], [1, 1, 0], [0, 0, 0]])
    # class 0: 2*3 / (4+4); class 1: 2*1 / (2+2); class 2 never came
    figures = f1_figures(confusion)
    assert figures["macro_f1"] == pytest.approx((0.75 + 0.5 + 0) / 3)
    assert figures["weighted_f1"] == pytest.approx((0.75 * 4 + 0.5 * 2) / 6)
    assert figures["micro_f1"] == pytest.approx(4 / 6)


def test_as_an_independent_implementation():
    generator = np.random.default_rng(0)
    labels, said = generator.integers(0, 7, 200), generator.integers(0, 7, 200)
    said[:120] = labels[:120]
    figures = f1_figures(metrics.confusion_matrix(labels, said))
    for average in ("micro", "macro", "weighted"):
        assert figures[f"{average}_f1"] == pytest.approx(
            metrics.f1_score(labels, said, average=average)
        )


def test_classes_without_an_example_may_be_left_out():
    """Class 2 has no example; class 3 was never there to be predicted."""
    labels, said = np.array([0, 0, 1, 3, 3]), np.array([0, 2, 1, 0, 1])
    counts = confusion_counts(labels, said, 4)
    assert counts[3].tolist() == [1, 1, 0, 0] and counts.sum() == 5
    figures = f1_figures(counts, absent_classes=False)
    assert figures["macro_f1"] == pytest.approx(
        metrics.f1_score(labels, said, labels=[0, 1, 3], average="macro")
    )
    scores = class_scores(counts)
    theirs = metrics.precision_recall_fscore_support(labels, said, zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "support"), theirs):
        np.testing.assert_allclose(scores[name], values, err_msg=name)
