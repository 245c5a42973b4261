"""The figures of several models side by side, each with its 95% interval, yardstick and chance."""

from collections.abc import Sequence

from kaleido_tf.serving.figures import Figure, FigureGroup
from kaleido_tf.serving.markup import Markup, joined, scrolling, tag

BESIDE = ("interval", "yardstick", "chance")
HEADS = {"interval": "95% interval", "yardstick": "yardstick", "chance": "chance"}
Column = tuple[str, FigureGroup]
"""A model's name and its figures."""


def figure_tables(names: Sequence[str], groups: Sequence[Sequence[FigureGroup]]) -> Markup:
    """A table for each way of counting, with a column group for each model that has such figures.

    Args: names: of the models. groups: of each.
    """
    counted: dict[tuple[str, str], list[Column]] = {}
    for name, of_model in zip(names, groups):
        for group in of_model:
            counted.setdefault((group.title, group.explained), []).append((name, group))
    return joined(_table(*way, columns) for way, columns in counted.items())


def _table(title: str, explained: str, columns: Sequence[Column]) -> Markup:
    every = [figure for _, group in columns for figure in group.figures]
    beside = [key for key in BESIDE if any(getattr(figure, key) is not None for figure in every)]
    rows = list(dict.fromkeys(figure.name for figure in every))
    by_name = [{figure.name: figure for figure in group.figures} for _, group in columns]
    body = [
        tag(
            "tr",
            tag("th", row, scope="row"),
            *(_cells(figures.get(row), beside) for figures in by_name),
        )
        for row in rows
    ]
    body += _facts(columns, len(beside) + 1)
    table = tag(
        "table", tag("caption", title), tag("thead", *_head(columns, beside)), tag("tbody", *body)
    )
    verdicts = [
        tag("p", tag("strong", name), f", {verdict}")
        for name, group in columns
        for verdict in group.verdicts
    ]
    return joined([scrolling(table, title), *verdicts, tag("p", explained, class_="note")])


def _head(columns: Sequence[Column], beside: Sequence[str]) -> list[Markup]:
    width = len(beside) + 1
    models = [
        tag("th", name, scope="colgroup", colspan=width, class_="group") for name, _ in columns
    ]
    heads = ["figure", *(HEADS[key] for key in beside)]
    below = [_th(head, n) for _ in columns for n, head in enumerate(heads)]
    return [tag("tr", tag("td", ""), *models), tag("tr", tag("td", ""), *below)]


def _th(head: str, place: int) -> Markup:
    return tag("th", head, scope="col", class_=None if place else "group")


def _cells(figure: Figure | None, beside: Sequence[str]) -> Markup:
    if figure is None:
        return joined([tag("td", "-", class_="group"), *(tag("td", "-") for _ in beside)])
    cells = [tag("td", tag("strong", figure.shown(figure.value)), class_="group")]
    for key in beside:
        is_interval = key == "interval"
        shown = figure.shown_interval() if is_interval else figure.shown(getattr(figure, key))
        cells.append(tag("td", shown))
    return joined(cells)


def _facts(columns: Sequence[Column], width: int) -> list[Markup]:
    names = dict.fromkeys(name for _, group in columns for name in group.facts)
    return [
        tag(
            "tr",
            tag("th", name, scope="row"),
            *(
                tag("td", group.facts.get(name, "-"), colspan=width, class_="group fact")
                for _, group in columns
            ),
        )
        for name in names
    ]
