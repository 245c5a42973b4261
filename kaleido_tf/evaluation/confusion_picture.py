"""The confusion of recognition as a picture: rows the classes, columns the predictions."""

import os

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kaleido_tf.files.whole_files import appears_whole

CELL = 0.3
"""Inches a class, which leaves room for a number of three digits."""
MOST_NUMBERS = 60
"""Classes up to which every cell shows its count."""
LARGEST = 40.0
"""Inches a side, however many classes there are."""


def draw_confusion(path: str | os.PathLike, confusion: np.ndarray, names: list[str]) -> None:
    """Writes a PNG of [C, C] counts; it appears whole or not at all. Colours are shares of a row,
    numbers counts.

    Raises: InputError if the disk refuses.
    """
    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    side = min(len(names) * CELL, LARGEST)
    figure = Figure(figsize=(side + 4, side + 3), layout="constrained")
    axis = figure.add_subplot()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    labels = [f"{name} ({int(count)})" for name, count in zip(names, totals[:, 0])]
    # A dollar sign would begin a formula.
    plain = [label.replace("$", r"\$") for label in labels]
    size = 8 if len(names) <= MOST_NUMBERS else 8 * LARGEST / max(len(names) * CELL, LARGEST)
    axis.set_xticks(range(len(names)), [n.replace("$", r"\$") for n in names], rotation=90)
    axis.set_yticks(range(len(names)), plain)
    axis.tick_params(labelsize=size)
    axis.set(xlabel="predicted", ylabel="class (examples)")
    if len(names) <= MOST_NUMBERS:
        for row, column in zip(*np.nonzero(confusion)):
            colour = "white" if shares[row, column] > 0.5 else "black"
            count = str(int(confusion[row, column]))
            axis.text(column, row, count, ha="center", va="center", fontsize=7, color=colour)
    FigureCanvasAgg(figure)
    with appears_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=100)
