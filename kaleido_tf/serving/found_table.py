"""Found products as a table of plain text."""

from collections.abc import Sequence

from kaleido_tf.serving.answers import Found

FIELDS = ("title", "category", "subcategory")
WIDEST = 40
"""Characters of a column; longer titles are cut off."""
NOTHING_FOUND = "nothing found: no product passes the filter and is probable enough"


def found_table(found: Sequence[Found]) -> str:
    """A line a product, the best first, or that there is none."""
    if not found:
        return NOTHING_FOUND
    told = found[0].probability is not None
    lines = [["", "score", *["match"] * told, "product_id", *FIELDS]]
    for number, one in enumerate(found, start=1):
        match = [f"{one.probability:.1%}"] if told else []
        values = [_short(str(one.fields.get(name, ""))) for name in FIELDS]
        lines.append([str(number), f"{one.score:.3f}", *match, one.product_id, *values])
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(value.ljust(width) for value, width in zip(line, widths)).rstrip()
        for line in lines
    )


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
