"""The fields of an index that a page can offer as filters: those of few different values, with how
many products have each.
"""

import collections
import dataclasses
import unicodedata

from kaleido_tf.search.filters import as_text
from kaleido_tf.search.index_folder import Index

MOST = 50
"""Different values of a field that is offered."""
LONGEST = 60
"""Characters of a value."""


@dataclasses.dataclass(frozen=True)
class Facet:
    """A field, and its values as a filter compares them -> (as written first, products)."""

    name: str
    values: dict[str, tuple[str, int]]

    def as_json(self) -> dict:
        """The most frequent value first; `filter` is what a filter says for it."""
        order = sorted(self.values.values(), key=lambda value: (-value[1], value[0]))
        return {
            "name": self.name,
            "values": [
                {"value": text, "filter": f"{self.name}={_quoted(text)}", "products": count}
                for text, count in order
            ],
        }


def facets_of(index: Index) -> list[Facet]:
    """In one pass over the items, with memory for the fields alone that are offered. A field is
    left out whose values say little of more than one product, as titles do.
    """
    counts = {name: collections.Counter() for name in index.manifest.fields if _can_be_named(name)}
    written: dict[tuple[str, str], str] = {}
    seen: set[str] = set()
    for row, item in enumerate(index.items):
        if not index.alive[row] or item["product_id"] in seen:
            continue
        seen.add(item["product_id"])
        for name in list(counts):
            for text in _texts(item.get(name)):
                counts[name][_folded(text)] += 1
                written.setdefault((name, _folded(text)), text)
            if len(counts[name]) > MOST or any(len(text) > LONGEST for text in counts[name]):
                del counts[name]
    return [
        Facet(name, {key: (written[name, key], number) for key, number in values.items()})
        for name, values in counts.items()
        if 2 <= len(values) <= len(seen) / 2
    ]


def _can_be_named(name: str) -> bool:
    return name == name.strip() and not set(name) & set('=,|"')


def _texts(value) -> set[str]:
    """What a filter can ask of a value; of a list, each."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    return {text for text in map(as_text, values) if text.strip()}


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip()).casefold()


def _quoted(text: str) -> str:
    """A value as a filter needs it."""
    if not set(text) & set(',|"'):
        return text
    return '"' + text.replace('"', '""') + '"'
