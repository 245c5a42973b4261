"""Found products as a table of plain text."""

import numpy as np

from kaleido_tf.search.index_folder import Index
from kaleido_tf.search.ranking import NOTHING

COLUMNS = ("product_id", "title", "category", "subcategory")
WIDEST = 40
"""Characters of a column; longer titles are cut off."""


def found_table(index: Index, rows: np.ndarray, scores: np.ndarray) -> str:
    """A line a product, the best first, or that there is none. Args: as a search gives them."""
    found = [(index.items[int(row)], score) for row, score in zip(rows, scores) if row != NOTHING]
    if not found:
        return "nothing found: no product passes the filter"
    lines = [["", "score", *COLUMNS]]
    for number, (item, score) in enumerate(found, start=1):
        values = [_short(str(item.get(name, ""))) for name in COLUMNS]
        lines.append([str(number), f"{score:.3f}", *values])
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(value.ljust(width) for value, width in zip(line, widths)).rstrip()
        for line in lines
    )


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
