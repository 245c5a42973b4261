"""Figures of recognition from counts of (label, prediction), on plain arrays. C = classes."""

import numpy as np


def f1_figures(confusion: np.ndarray, absent_classes: bool = True) -> dict[str, float]:
    """`micro_f1`, `macro_f1`, `weighted_f1` of [C, C] counts (row the label, column the
    prediction).

    Weighted averages by how often each label occurs. With one label an example, micro F1 is the
    accuracy. A class that was not there in training is never predicted, so its F1 is 0 where it is
    a label: it lowers all three.
    Args: absent_classes: whether macro averages over all C classes, as in the original, where one
      that is neither label nor prediction counts 0; False: over the classes that are labels here,
      so that records which lack a class are not held responsible for it.
    """
    scores = class_scores(confusion)
    each, labels = scores["f1"], scores["support"]
    averaged = each if absent_classes else each[labels > 0]
    return {
        "micro_f1": float(np.diag(confusion).sum() / labels.sum()),
        "macro_f1": float(averaged.mean()),
        "weighted_f1": float((each * labels).sum() / labels.sum()),
    }


def macro_f1_of_those_met(confusion: np.ndarray) -> float:
    """Macro F1 over the classes that are a label or a prediction, as scikit-learn averages, and
    MVLT's release with it: one that is predicted by mistake alone counts 0.
    """
    scores, counts = class_scores(confusion), np.asarray(confusion)
    met = (counts.sum(axis=0) + counts.sum(axis=1)) > 0
    return float(scores["f1"][met].mean())


def class_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """`precision`, `recall`, `f1`, `support` [C] each, of [C, C] counts; a share of nothing
    is 0.
    """
    confusion = np.asarray(confusion, np.float64)
    hits, labels, predictions = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        "precision": _shares(hits, predictions),
        "recall": _shares(hits, labels),
        "f1": _shares(2 * hits, labels + predictions),
        "support": labels,
    }


def _shares(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)


def confusion_counts(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """[C, C] int: row the label, column the prediction."""
    places = np.asarray(labels, np.int64) * num_classes + predictions
    return np.bincount(places, minlength=num_classes**2).reshape(num_classes, num_classes)


def macro_f1(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> float:
    """Mean F1 over the classes that are labels here."""
    counts = confusion_counts(labels, predictions, num_classes)
    return f1_figures(counts, absent_classes=False)["macro_f1"]
