"""Outfits of drawn products. What goes together follows a rule that can be seen: all items of an
outfit have main colours of one family, and are all for winter or all for summer.

An outfit is a top, a bottom, shoes and an accessory.
"""

import dataclasses
import json
import pathlib
import random
from collections.abc import Iterable, Sequence

from data_prep.sample.sample_catalogue import DrawnProduct, draw_products, id_of, split_of
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import write_whole

OUTFITS = "outfits.jsonl"
BLANKS = "fill_in_blank_valid.json"
COMPATIBILITY = "compatibility_valid.txt"
FAMILIES = {
    "warm": ("red", "orange", "yellow", "pink", "brown", "beige"),
    "cool": ("green", "teal", "blue", "navy", "purple"),
    "neutral": ("grey", "black", "white"),
}
SLOTS = (
    ("T-shirt", "Shirt", "Sweater"),
    ("Trousers", "Shorts", "Skirt", "Leggings"),
    ("Boots", "Sneakers"),
    ("Bag", "Hat", "Scarf"),
)
WINTER = {
    "T-shirt": ("sleeves", ("long",)),
    "Shirt": ("sleeves", ("long",)),
    "Sweater": ("sleeves", ("long",)),
    "Trousers": ("legs", ("straight", "narrow")),
    "Shorts": ("length", ("long",)),
    "Skirt": ("length", ("long",)),
    "Leggings": ("length", ("long",)),
    "Boots": ("shaft", ("tall",)),
    "Sneakers": ("ankle", ("high",)),
    "Bag": ("handle", ("handle",)),
    "Hat": ("crown", ("high",)),
    "Scarf": ("length", ("long",)),
}
"""Sub-category -> the attribute that tells the seasons apart, and its options for winter."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What items of an outfit share: the family of their main colours, and the season."""

    family: str
    winter: bool


def rule_of(product: DrawnProduct) -> Rule:
    """Which outfits a product goes with. Raises: KeyError for a sub-category of no slot."""
    attribute, options = WINTER[product.kind.name]
    family = next(name for name, colours in FAMILIES.items() if product.style.colour in colours)
    return Rule(family, product.look[attribute] in options)


def write_sample_outfits(
    folder: pathlib.Path,
    num_products: int,
    valid_fraction: float,
    seed: int,
    num_train: int,
    num_valid: int,
) -> None:
    """Writes outfits of the sample catalogue with these numbers beside its `products.jsonl`:
    `outfits.jsonl` (`outfit_id`, `items`, `split`), and of those of valid the questions
    `fill_in_blank_valid.json` (four answers of one sub-category, of which only the right one keeps
    the rule) and `compatibility_valid.txt` (1 and an outfit, or 0 and one with an item that breaks
    the rule).

    Raises: InputError if there are too few products for outfits.
    """
    products = [p for p in draw_products(num_products, seed) if p.kind.name in WINTER]
    lines = []
    for split, count in (("train", num_train), ("valid", num_valid)):
        pool = [p for p in products if split_of(p.index, valid_fraction) == split]
        generator = random.Random(f"{seed}/{split}/outfits")
        outfits = [_draw_outfit(pool, generator) for _ in range(count)]
        for number, outfit in enumerate(outfits):
            items = [id_of(product) for product in outfit]
            name = f"{split}{number:05d}"
            lines.append(json.dumps({"outfit_id": name, "items": items, "split": split}))
        if split == "valid":
            write_whole(folder / BLANKS, _questions(outfits, pool, generator))
            write_whole(folder / COMPATIBILITY, _judged(outfits, pool, generator))
    write_whole(folder / OUTFITS, "".join(f"{line}\n" for line in lines))


def _draw_outfit(pool: Sequence[DrawnProduct], generator: random.Random) -> list[DrawnProduct]:
    """An item of each slot, by the rule of the first."""
    first = generator.choice(_of_kinds(pool, SLOTS[0]))
    rule = rule_of(first)
    fitting = [
        [product for product in _of_kinds(pool, kinds) if rule_of(product) == rule]
        for kinds in SLOTS[1:]
    ]
    if not all(fitting):
        raise InputError(
            "Outfits need products of every kind, colour family and season. Draw more than"
            f" {len(pool)} in this split (--num_products)"
        )
    return [first, *(generator.choice(part) for part in fitting)]


def _of_kinds(pool, kinds):
    return [product for product in pool if product.kind.name in kinds]


def _questions(outfits, pool, generator) -> str:
    rows = []
    for outfit in outfits:
        blank = generator.choice(outfit)
        answers = [blank, *_rule_breakers(blank, pool, generator)]
        generator.shuffle(answers)
        rows.append(
            {
                "question": [id_of(product) for product in outfit if product is not blank],
                "blank": id_of(blank),
                "answers": [id_of(product) for product in answers],
                "correct": answers.index(blank),
            }
        )
    return json.dumps(rows, indent=1) + "\n"


def _judged(outfits, pool, generator) -> str:
    lines = []
    for outfit in outfits:
        lines.append(_line("1", outfit))
        swapped = generator.randrange(len(outfit))
        other = generator.choice(_rule_breakers(outfit[swapped], pool, generator))
        lines.append(_line("0", [*outfit[:swapped], other, *outfit[swapped + 1 :]]))
    return "".join(lines)


def _rule_breakers(product, pool, generator) -> list[DrawnProduct]:
    """Three others of the same sub-category: one breaks the rule of the season, one that of the
    colour, one both. With the product they are two families in both seasons, so that nothing but
    the outfit says which of the four is right.
    """
    rule = rule_of(product)
    there = {}
    for other in pool:
        if other.kind is product.kind:
            there.setdefault(rule_of(other), []).append(other)
    other_families = [
        family
        for family in FAMILIES
        if family != rule.family and all(Rule(family, winter) in there for winter in (True, False))
    ]
    out_of_season = Rule(rule.family, not rule.winter)
    if not other_families or out_of_season not in there:
        raise InputError(
            "A question needs wrong answers of another colour family and of the other season. There"
            f" are none of the kind {product.kind.name}: draw more products (--num_products)"
        )
    family = generator.choice(other_families)
    wrong = (out_of_season, Rule(family, rule.winter), Rule(family, not rule.winter))
    return [generator.choice(there[other]) for other in wrong]


def _line(label: str, products: Iterable[DrawnProduct]) -> str:
    return f"{label} {' '.join(id_of(product) for product in products)}\n"
