"""Outfits of Polyvore: items that go together, one of which is to be found (complementary item
retrieval, fill in the blank), and outfits of which one in two was put together by chance.

Files are those of FashionViL's release (`ocir_*.json`, a list of `question`, `blank`, `fake_data`),
the same with `answers` and `correct` for fill in the blank, `compatibility_*.txt`, and JSON lines
with `items` and `split`. Items are named by their ids.
"""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_rows import JsonRow, read_json_rows, read_named_rows
from kaleido_tf.files.text_files import read_lines

CATEGORIES = tuple(
    "3 4 5 6 7 8 9 10 11 15 17 18 19 21 23 24 25 26 27 28 29 30 31 35 36 37 38 39 40 41 42 43"
    " 46 47 48 49 50 51 52 53 55 56 57 58 59 61 62 64 65 68 69 1606 1607 1605 104 105 106 107"
    " 231 236 237 238 239 240 241 243 244 248 249 250 251 252 253 254 255 256 257 258 259 260"
    " 261 262 263 264 265 266 267 268 269 270 272 273 275 277 278 279 280 281 282 284 286 287"
    " 288 289 290 291 292 293 294 295 296 297 298 299 300 301 302 303 304 305 306 307 309 310"
    " 315 318 332 341 342 343 4452 4454 4455 4456 4457 4458 4459 4460 4461 4462 4463 4464 4465"
    " 4466 4467 4468 4470 4472 4473 4495 4496 4517 4518".split()
)
"""Polyvore's ids of the 153 categories, by the numbers that the release gives them."""
NO_CATEGORY = -1


@dataclasses.dataclass(frozen=True)
class Outfit:
    """Attributes:
    items: those that are shown. blank: the one that is looked for.
    categories: of `items`, blank_category: of `blank`; numbers below 153, or () and `NO_CATEGORY`.
    is_query: False for a row that gives its blank to the gallery and asks nothing (`fake_data`).
    answers: what the blank is to be chosen from, and `right` its place among them; () and None
      where the whole gallery is searched.
    """

    items: tuple[str, ...]
    blank: str
    categories: tuple[int, ...]
    blank_category: int
    is_query: bool = True
    answers: tuple[str, ...] = ()
    right: int | None = None


def read_item_categories(path: str | os.PathLike) -> dict[str, int]:
    """Item -> number of its category, of `polyvore_item_metadata.json`. Raises: InputError for a
    file of another form, or a category that is none of the 153.
    """
    numbers = {category: number for number, category in enumerate(CATEGORIES)}
    categories = {}
    for item, row in read_named_rows(path).items():
        category = row.identifier("category_id")
        if category not in numbers:
            raise InputError(
                f"`category_id` must be one of Polyvore's {len(CATEGORIES)}. Received: {category}"
                f" ({row.where})"
            )
        categories[item] = numbers[category]
    return categories


def read_outfits(
    path: str | os.PathLike, categories: Mapping[str, int] | None = None
) -> list[Outfit]:
    """The outfits of `ocir_*.json` or `fill_in_blank_*.json`, in the file's order.

    Args: categories: of every item, as `read_item_categories`; None: they are known from elsewhere,
      and the outfits hold none.
    Raises: InputError for a file of another form, a question without items, an item without a
      category, or a blank that is not the right answer.
    """
    return [_outfit(row, categories) for row in read_json_rows(path)]


def _outfit(row: JsonRow, categories: Mapping[str, int] | None) -> Outfit:
    items, blank = row.identifiers("question"), row.identifier("blank")
    answers = row.identifiers("answers") if "answers" in row else ()
    is_query = not ("fake_data" in row and row.flag("fake_data"))
    if is_query:
        _of_two_or_more((*items, blank), row.where)
    every = () if categories is None else (*items, blank, *answers)
    unknown = [item for item in every if item not in categories]
    if unknown:
        raise InputError(
            f"Every item must be in the items' metadata. Received: {unknown[0]} ({row.where})"
        )
    right = row.number("correct") if answers else None
    if answers and not (0 <= right < len(answers) and answers[right] == blank):
        raise InputError(
            f"`correct` must be the place of the blank, {blank}, among the answers. Received:"
            f" {right} of {', '.join(answers)} ({row.where})"
        )
    return Outfit(
        items,
        blank,
        () if categories is None else tuple(categories[item] for item in items),
        NO_CATEGORY if categories is None else categories[blank],
        is_query,
        answers,
        right,
    )


def read_whole_outfits(path: str | os.PathLike, split: str | None = None) -> list[tuple[str, ...]]:
    """The items of each outfit of a file of JSON lines with `items`.

    Args: split: only the rows whose field `split` says so; None: all.
    Raises: InputError for a file of another form, or an outfit of one item.
    """
    rows = read_json_rows(path)
    kept = [row for row in rows if split is None or row.text("split") == split]
    if not kept:
        raise InputError(f"{path}: outfits of the split {split!r} are needed. Received: none")
    return [_of_two_or_more(row.identifiers("items"), row.where) for row in kept]


def read_compatibility(path: str | os.PathLike) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """([n] bool whether people put the items together, the n outfits) of `compatibility_*.txt`: 1
    or 0 and the items, with blanks between them, a line.

    Raises: InputError naming the line for another form, or an outfit of one item; for an empty
      file.
    """
    labels, outfits = [], []
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path} line {number}"
        label, *items = line.split() or [""]
        if label not in ("0", "1"):
            raise InputError(f"0 or 1, and items, are needed. Received: {line[:60]!r} ({where})")
        labels.append(label == "1")
        outfits.append(_of_two_or_more(tuple(items), where))
    if not outfits:
        raise InputError(f"{path}: at least one outfit is needed. Received: an empty file")
    return np.array(labels), outfits


def _of_two_or_more(items: tuple[str, ...], where: str) -> tuple[str, ...]:
    if len(items) < 2:
        raise InputError(
            f"An outfit needs two items or more. Received: {', '.join(items) or 'none'} ({where})"
        )
    if len(set(items)) < len(items):
        raise InputError(f"An outfit needs different items. Received: {', '.join(items)} ({where})")
    return items
