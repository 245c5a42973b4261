"""HTML and SVG from text: whatever is not already markup is escaped, so that a product's title can
hold anything.
"""

import html
from collections.abc import Iterable, Sequence

VOID = ("meta", "link", "img")


class Markup(str):
    """Text that is HTML already."""


def escaped(value) -> Markup:
    """A value as HTML; `Markup` stays as it is. Half a surrogate pair, which no file can hold,
    becomes a question mark.
    """
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(str(value).encode("utf-8", "replace").decode("utf-8")))


def tag(name: str, /, *content, **attributes) -> Markup:
    """An element. Attributes: `class_` is class, `_` within is `-`, None is left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(content)}</{name}>")


def joined(parts: Iterable) -> Markup:
    """Parts one after the other, escaped where they are no markup."""
    return Markup("".join(map(escaped, parts)))


def table(caption: str, heads: Sequence, rows: Iterable[Sequence], class_: str = "") -> Markup:
    """A table in a box of its own, which scrolls sideways where the page is narrower.

    Args: heads: of the columns. rows: the first cell of each is its head; others may be `td`
      elements already.
    """
    head = tag("tr", *(tag("th", head, scope="col") for head in heads))
    body = [tag("tr", tag("th", first, scope="row"), *map(cell, rest)) for first, *rest in rows]
    return scrolling(
        tag(
            "table",
            tag("caption", caption),
            tag("thead", head),
            tag("tbody", *body),
            class_=class_ or None,
        ),
        caption,
    )


def cell(value) -> Markup:
    """A `td` of a value, unless it is one."""
    is_cell = isinstance(value, Markup) and value.startswith("<td")
    return value if is_cell else tag("td", value)


def scrolling(content: Markup, label: str) -> Markup:
    """A box that scrolls sideways, by keyboard too."""
    return tag("div", content, class_="box", tabindex=0, role="region", aria_label=label)
