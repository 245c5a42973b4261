"""Candidate lists for retrieval (Kaleido-BERT, section 4.2): the truth and 100 others of the same
sub-category.

Another product with the very text of the truth is no wrong answer, and so in no list.
"""

import collections
import dataclasses
import json
import os
import pathlib

import numpy as np

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS
from kaleido_tf.files.whole_files import appear_together, write_json, write_whole

TOTALS_NAME = "candidates.json"


@dataclasses.dataclass(frozen=True)
class CandidateSettings:
    """`num_queries` None: every product that can be one. `short_lists`: what happens to a query
    whose sub-category has fewer than `num_others` products of another text: `leave_out` it, or
    `keep` it with what there is (and say so).
    """

    num_queries: int | None = None
    num_others: int = 100
    seed: int = 1
    short_lists: str = "leave_out"


def draw_candidates(
    table: RecordTable, settings: CandidateSettings
) -> tuple[dict[str, list[dict]], dict]:
    """Draws the lists of both directions.

    A query of img2txt is an image, its candidates are products (their texts); a query of txt2img is
    a product's text, its candidates are images, one a product. The same products are queries both
    ways.
    Returns: ({direction: [{"query", "positive", "candidates", "subcategory_id", "missing"}]},
      totals). `candidates` holds the positive at a random place; `missing` is the number of others
      that the sub-category lacked (they never come from elsewhere).
      Products with the very text of the query's are left out of its list, and counted.
    Raises: InputError if no list can be drawn.
    """
    if settings.short_lists not in ("leave_out", "keep"):
        raise InputError(
            f"`short_lists` must be leave_out or keep. Received: {settings.short_lists}"
        )
    generator = np.random.default_rng(settings.seed)
    images = _images_by_product(table)
    members = _products_by_subcategory(table)
    group_of = {product: group for group, products in members.items() for product in products}
    texts = dict(zip(table.product_ids, table.whole_texts.tolist()))
    sizes = collections.Counter((group_of[p], texts[p]) for p in images)
    equal = {p: sizes[group_of[p], texts[p]] - 1 for p in images}
    others_of = {p: len(members[group_of[p]]) - 1 - equal[p] for p in images}
    enough = [p for p in images if others_of[p] >= settings.num_others]
    short = [p for p in images if others_of[p] < settings.num_others]
    pool = enough if settings.short_lists == "leave_out" else list(images)
    if not pool:
        raise _no_list(settings, members, others_of)
    count = min(settings.num_queries or len(pool), len(pool))
    queries = [pool[i] for i in sorted(generator.permutation(len(pool))[:count])]
    lists: dict[str, list[dict]] = {direction: [] for direction in DIRECTIONS}
    for product in queries:
        group = group_of[product]
        for direction in DIRECTIONS:
            drawn = generator.permutation(members[group])
            others = [p for p in drawn if texts[p] != texts[product]][: settings.num_others]
            lists[direction].append(
                _query(direction, product, others, images, generator, group, settings)
            )
    totals = {
        "records": len(table),
        "queries": len(queries),
        "queries_asked_for": settings.num_queries,
        "others": settings.num_others,
        "seed": settings.seed,
        "short_lists": settings.short_lists,
        "products_in_too_small_subcategories": len(short),
        "subcategories_too_small": {
            str(group): len(products)
            for group, products in sorted(members.items())
            if len(products) <= settings.num_others
        },
        "products_with_others_of_the_same_text": sum(count > 0 for count in equal.values()),
        "queries_with_others_of_the_same_text": sum(equal[p] > 0 for p in queries),
        "others_of_the_same_text_excluded": sum(equal[p] for p in queries),
        "queries_with_fewer_others": sum(entry["missing"] > 0 for entry in lists["img2txt"]),
        "left_out": (
            [{"product_id": p, "others_there_are": others_of[p]} for p in short]
            if settings.short_lists == "leave_out"
            else []
        ),
    }
    return lists, totals


def _no_list(settings: CandidateSettings, members: dict, others_of: dict) -> InputError:
    largest = max(len(products) for products in members.values())
    came = (
        f"No sub-category has more than {settings.num_others} products (the largest has {largest})"
    )
    if largest > settings.num_others:
        came = (
            f"No product has {settings.num_others} others of another text in its sub-category (at"
            f" most {max(others_of.values())}; products of the very same text are no wrong answers)"
        )
    return InputError(f"{came}. Lower --num_others or pass --short_lists=keep")


def _query(direction, product, others, images, generator, group, settings) -> dict:
    def image(of):
        return images[of][generator.integers(len(images[of]))]

    if direction == "img2txt":
        query, positive = image(product), product
    else:
        query, positive, others = product, image(product), [image(p) for p in others]
    candidates = [positive, *others]
    return {
        "query": query,
        "positive": positive,
        "candidates": [candidates[place] for place in generator.permutation(len(candidates))],
        "subcategory_id": int(group),
        "missing": settings.num_others - len(others),
    }


def _images_by_product(table: RecordTable) -> dict[str, list[str]]:
    """Product -> its photos, each once whatever its views."""
    images: dict[str, list[str]] = {}
    for image, (record, *_) in table.records_of_photos().items():
        images.setdefault(table.product_ids[record], []).append(image)
    return images


def _products_by_subcategory(table: RecordTable) -> dict[int, list[str]]:
    members: dict[int, list[str]] = {}
    for product, group in zip(table.product_ids, table.subcategories):
        if product not in members.setdefault(int(group), []):
            members[int(group)].append(product)
    return members


def write_candidates(
    lists: dict[str, list[dict]], totals: dict, output_dir: str | os.PathLike
) -> None:
    """Writes `candidates_img2txt.jsonl`, `candidates_txt2img.jsonl` and the totals: all of them or,
    if the disk refuses, none.
    """
    with appear_together(pathlib.Path(output_dir) / TOTALS_NAME, last=TOTALS_NAME) as aside:
        for direction, entries in lists.items():
            lines = "".join(json.dumps(entry) + "\n" for entry in entries)
            write_whole(aside / f"candidates_{direction}.jsonl", lines)
        write_json(aside / TOTALS_NAME, totals)
