"""Drawn triplets of text-guided retrieval: a product, what is to change, and the one that is so.

Products come in groups of five of one kind: a reference; a target, which differs from it in one to
three attributes; and three that are easily taken for the target. Two differ from it in a single
attribute, one of them in something that the text does not say, so that only the photo tells them
apart, the other in something that it does; the third has all that the text says and differs from
the reference in two other things. No two products are alike, so a reference and its changes have
one answer in the gallery, which is checked for every triplet that is written.
"""

import dataclasses
import json
import os
import pathlib
import random

from data_prep.sample.product_photo import COLOURS, Style, contrasting_colours
from data_prep.sample.sample_catalogue import (
    PATTERNS,
    DrawnProduct,
    draw_folder,
    draw_product,
    id_of,
    write_products,
)
from kaleido_tf.errors import InputError

VERSION = 1  # raise it when the same seed no longer gives the same triplets
TRIPLETS_NAME = "triplets.jsonl"
GROUP = 5
MOST_CHANGES = 3
STYLE = ("colour", "second", "pattern")


@dataclasses.dataclass(frozen=True)
class TripletSizes:
    """How many groups of five products each split has, and triplets of a group at most."""

    train_groups: int = 120
    valid_groups: int = 50
    group_triplets: int = 4

    def __post_init__(self):
        if min(dataclasses.astuple(self)) < 1:
            raise InputError(
                "At least 1 group of each split and 1 triplet of a group are needed. Received:"
                f" {self.train_groups}, {self.valid_groups}, {self.group_triplets}"
            )


@dataclasses.dataclass(frozen=True)
class DrawnTriplet:
    """A reference and a target of one kind; `changes`: the attributes that differ."""

    reference: DrawnProduct
    target: DrawnProduct

    @property
    def changes(self) -> tuple[str, ...]:
        """In the order of `traits`."""
        before, after = traits(self.reference), traits(self.target)
        return tuple(name for name in after if after[name] != before[name])


def write_sample_triplets(
    output_dir: str | os.PathLike, sizes: TripletSizes, seed: int = 1
) -> pathlib.Path:
    """Draws a catalogue and its `triplets.jsonl` into `output_dir`, whole or not at all; returns
    the path of the triplets. Raises: InputError if the folder holds anything else.
    """
    folder = pathlib.Path(output_dir)
    summary = {"made_by": "data_prep.sample_triplets", "version": VERSION, "seed": seed}
    summary |= dataclasses.asdict(sizes)
    draw_folder(folder, summary, lambda aside: _write_all(aside, sizes, seed))
    return folder / TRIPLETS_NAME


def _write_all(folder: pathlib.Path, sizes: TripletSizes, seed: int) -> None:
    count = sizes.train_groups + sizes.valid_groups
    groups = draw_groups(count, seed)
    splits = {
        product.index: "train" if number < sizes.train_groups else "valid"
        for number, group in enumerate(groups)
        for product in group
    }
    products = [product for group in groups for product in group]
    write_products(folder, products, splits, seed)
    lines = []
    for split in ("train", "valid"):
        gallery = [product for product in products if splits[product.index] == split]
        for number, group in enumerate(groups):
            if splits[group[0].index] == split:
                rng = random.Random(f"{seed}/{number}/triplets")
                for triplet in choose_triplets(group, gallery, sizes.group_triplets, rng):
                    lines.append(_row(triplet, split, rng))
        lines += [_gallery_row(product, split) for product in gallery]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / TRIPLETS_NAME).write_text(text, encoding="utf-8")


def draw_groups(count: int, seed: int) -> list[list[DrawnProduct]]:
    """Groups of five products (see the top), none of which is like another of any group."""
    taken: set[tuple] = set()
    groups = []
    for number in range(count):
        rng = random.Random(f"{seed}/{number}/group")
        group = _draw_group(number, rng)
        while group is None or taken & {product.attributes for product in group}:
            group = _draw_group(number, rng)
        taken |= {product.attributes for product in group}
        groups.append(group)
    return groups


def _draw_group(number: int, rng: random.Random) -> list[DrawnProduct] | None:
    """None where the draws do not give five different products."""
    reference = draw_product(number, rng)
    names = list(traits(reference))
    changed = rng.sample(names, rng.randint(1, MOST_CHANGES))
    kept = [name for name in names if name not in changed]
    target = _changed(reference, changed, rng)
    group = [
        reference,
        target,
        _changed(target, [rng.choice(kept)], rng),
        _changed(target, [rng.choice(changed)], rng),
        _changed(target, rng.sample(kept, min(2, len(kept))), rng),
    ]
    if None in group or len({product.attributes for product in group}) < GROUP:
        return None
    first = GROUP * number
    return [dataclasses.replace(product, index=first + n) for n, product in enumerate(group)]


def traits(product: DrawnProduct) -> dict[str, str]:
    """Attribute -> option, of its style and its look."""
    return {**dict(zip(STYLE, dataclasses.astuple(product.style))), **product.look}


def _changed(product: DrawnProduct | None, names: list[str], rng) -> DrawnProduct | None:
    """With other options of these attributes; None where its colours would not stand apart."""
    if product is None:
        return None
    changed = traits(product)
    for name in names:
        options = _options(product, name)
        changed[name] = rng.choice([option for option in options if option != changed[name]])
    style = Style(*(changed.pop(name) for name in STYLE))
    if style.second not in contrasting_colours(style.colour):
        return None
    return dataclasses.replace(product, style=style, look=changed)


def _options(product, name) -> list[str]:
    if name in STYLE:
        return list(PATTERNS if name == "pattern" else COLOURS)
    return list(product.kind.attributes[name])


def answers(triplet: DrawnTriplet, gallery: list[DrawnProduct]) -> list[DrawnProduct]:
    """What in a gallery is as the reference but for what the text says, and is that."""
    wanted = traits(triplet.reference)
    wanted |= {name: traits(triplet.target)[name] for name in triplet.changes}
    kind = triplet.reference.kind.name
    return [each for each in gallery if each.kind.name == kind and traits(each) == wanted]


def fits_text(triplet: DrawnTriplet, product: DrawnProduct) -> bool:
    """Whether a product has all that the text says, whatever the reference is."""
    said, seen = traits(triplet.target), traits(product)
    return all(seen.get(name) == said[name] for name in triplet.changes)


def choose_triplets(
    group: list[DrawnProduct], gallery: list[DrawnProduct], most: int, rng: random.Random
) -> list[DrawnTriplet]:
    """Triplets between the products of a group, from reference to target first: those with one to
    three changes, one answer in the gallery, something there that differs from the target in one
    attribute, and something that fits the text and not the reference.
    """
    first = DrawnTriplet(*group[:2])
    pairs = [DrawnTriplet(a, b) for a in group for b in group if a is not b]
    pairs = [pair for pair in pairs if 0 < len(pair.changes) <= MOST_CHANGES and pair != first]
    chosen = [first, *rng.sample(pairs, len(pairs))]
    chosen = [pair for pair in chosen if _is_hard(pair, group)][:most]
    for triplet in chosen:
        assert answers(triplet, gallery) == [triplet.target], triplet
    return chosen


def _is_hard(triplet: DrawnTriplet, group: list[DrawnProduct]) -> bool:
    others = [each for each in group if each not in (triplet.reference, triplet.target)]
    near = any(len(DrawnTriplet(each, triplet.target).changes) == 1 for each in others)
    return near and any(fits_text(triplet, each) for each in others)


def describe_changes(triplet: DrawnTriplet, rng: random.Random) -> str:
    """What is to change, such as "in red instead of blue and with long sleeves"."""
    before, after = traits(triplet.reference), traits(triplet.target)
    names, phrases = list(triplet.changes), []
    if "colour" in names:
        instead = f" instead of {before['colour']}" if rng.random() < 0.5 else ""
        phrases.append(f"in {after['colour']}{instead}")
    element = PATTERNS[after["pattern"]]
    if "second" in names:
        plain = "plain " if "pattern" in names and after["pattern"] == "plain" else ""
        phrases.append(f"{plain}with {after['second']} {element}")
    elif "pattern" in names:
        phrases.append("plain" if after["pattern"] == "plain" else f"with {element}")
    wordings = triplet.target.kind.attributes
    looks = [name for name in names if name not in STYLE]
    phrases += [f"with {rng.choice(wordings[name][after[name]])}" for name in looks]
    rng.shuffle(phrases)
    return " and ".join(phrases)


def _row(triplet: DrawnTriplet, split: str, rng: random.Random) -> dict:
    return {
        "reference": id_of(triplet.reference),
        "target": id_of(triplet.target),
        "captions": [describe_changes(triplet, rng)],
        "category": triplet.target.kind.category,
        "split": split,
        "changes": list(triplet.changes),
    }


def _gallery_row(product: DrawnProduct, split: str) -> dict:
    """Gives a photo to the gallery and asks nothing."""
    name = id_of(product)
    row = {"reference": name, "target": name, "captions": [""], "fake_data": True}
    return {**row, "category": product.kind.category, "split": split}
