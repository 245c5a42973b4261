"""F1 scores of recognition from counts of (label, prediction), on plain arrays. C = classes."""

import numpy as np


def f1_figures(confusion: np.ndarray) -> dict[str, float]:
    """`micro_f1`, `macro_f1`, `weighted_f1` of [C, C] counts (row the label, column the
    prediction).

    As in the original, macro averages over all classes, and one that is neither label nor
    prediction counts 0; weighted averages by how often each label occurs. With one label an
    example, micro F1 is the accuracy.
    """
    confusion = np.asarray(confusion, np.float64)
    hits, labels, predictions = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    each = np.divide(
        2 * hits, labels + predictions, out=np.zeros_like(hits), where=labels + predictions > 0
    )
    return {
        "micro_f1": float(hits.sum() / confusion.sum()),
        "macro_f1": float(each.mean()),
        "weighted_f1": float((each * labels).sum() / labels.sum()),
    }
