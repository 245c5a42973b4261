"""Filters in words, `category=Dress,colour=blue|navy`, to the rows of an index that pass.

Conditions are parted by commas, and all must hold; values of a field by `|`, and one must. Values
are compared whole, ignoring case. A value with a comma, a bar or a quote stands in double quotes,
with a quote in it written twice: `title="Shirt, ""slim"" fit"`. A field that is a list passes if it
holds the value. N = rows stored.
"""

import difflib
import itertools
import re
import unicodedata

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.search.block import OWN
from kaleido_tf.search.index_folder import Index
from kaleido_tf.search.items import Column

_CONDITION = re.compile(r'\s*([^=,|"]+?)\s*=((?:"(?:[^"]|"")*"|[^,"])*)(,|$)')
_VALUE = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^|"]*))\s*(\||$)')
_COMPARED = 20_000
"""Values among which one that is like the asked one is looked for."""


def mask_of(index: Index, text: str) -> np.ndarray:
    """[N] bool: the rows that pass; those that are gone pass, too, and searches leave them out.

    Raises: InputError for what is no filter, a field that no item has (naming those that there
      are), a value that no item has in it (naming those that are like it).
    """
    conditions = parse_filter(text)
    names = {_folded(name): name for name in (*OWN, *index.manifest.fields)}
    for name in conditions:
        if _folded(name) not in names:
            raise InputError(
                f"The items of {index.folder} have the fields {', '.join(names.values())}."
                f" Received: {name!r} in the filter {text!r}"
            )
    columns = index.items.columns([names[_folded(name)] for name in conditions])
    mask = np.ones(len(index), bool)
    for column, (name, values) in zip(columns.values(), conditions.items()):
        mask &= _passing(column, name, values)[column.codes]
    return mask


def parse_filter(text: str) -> dict[str, list[str]]:
    """Field -> values, as written. Raises: InputError for what is no filter."""
    conditions: dict[str, list[str]] = {}
    place, more = 0, True
    while more:
        match = _CONDITION.match(text, place)
        values = _values(match[2]) if match else None
        if not match or not values or _folded(match[1]) in map(_folded, conditions):
            raise InputError(
                "A filter is needed, such as category=Dress,colour=blue|navy (each field once;"
                ' quotes around values with , | or "). Received:'
                f" {text!r}, wrong from {text[place:]!r}"
            )
        conditions[match[1]] = values
        place, more = match.end(), match[3] == ","
    return conditions


def _values(text: str) -> list[str] | None:
    """None for what are no values."""
    values, place, more = [], 0, True
    while more:
        match = _VALUE.match(text, place)
        if not match:
            return None
        quoted, plain = match[1], match[2]
        values.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
        place, more = match.end(), match[3] == "|"
    return None if "" in values else values


def _passing(column: Column, name: str, values: list[str]) -> np.ndarray:
    """[different values of the column] bool."""
    said = [{_folded(as_text(p)) for p in parts if p is not None} for parts in column.values]
    wanted = {_folded(value) for value in values}
    for value in values:
        if not any(_folded(value) in parts for parts in said):
            raise InputError(f"No item has {name}={value}{_likes(column, value)}")
    return np.array([bool(parts & wanted) for parts in said])


def _likes(column: Column, value: str) -> str:
    parts = (part for parts in column.values for part in parts if part is not None)
    known: dict[str, str] = {}
    for part in itertools.islice(parts, _COMPARED):
        known.setdefault(_folded(as_text(part)), as_text(part))
    likes = difflib.get_close_matches(_folded(value), known, n=5, cutoff=0.5)
    if likes:
        return f". Like it: {', '.join(known[like] for like in likes)}"
    some = list(known.values())[:5]
    return f". There are {', '.join(some)}{', ...' if len(known) > len(some) else ''}"


def as_text(value) -> str:
    """A value of a field as one writes it: `true`, `12` for 12.0, texts as they are."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip()).casefold()
