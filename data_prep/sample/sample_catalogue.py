"""A drawn catalogue of product photos and texts: data to try everything on, without a download.

Sixteen sub-categories, each with its own attributes; colour, second colour and pattern on top. A
text tells exactly what the photo shows, so retrieval, recognition and captioning can be learnt from
it, and the manifest records where the things that the words name were drawn, so alignments can be
judged.

A product depends on the seed and its index only, apart from being drawn again if an earlier product
of its sub-category already has the same attributes.
"""

import dataclasses
import json
import os
import pathlib
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping

import numpy as np

from data_prep.catalogue.products import MANIFEST_NAME
from data_prep.sample.garment_drawing import Sketch
from data_prep.sample.product_kinds import KINDS, Kind
from data_prep.sample.product_photo import COLOURS, Part, Style, contrasting_colours, photograph
from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_text
from kaleido_tf.files.whole_files import check_writable

VERSION = 1  # raise it when the same seed no longer gives the same pictures or texts
SUMMARY = "sample.json"
JPEG_QUALITY = 90

PATTERNS = {  # pattern -> what a text calls its repeated element
    "plain": "trim",
    "striped": "stripes",
    "checked": "checks",
    "dotted": "dots",
    "floral": "flowers",
    "zigzag": "zigzags",
}
OCCASIONS = (
    "for every day",
    "for the weekend",
    "for cool evenings",
    "for days in town",
    "for travelling",
    "for work and play",
)


@dataclasses.dataclass(frozen=True)
class DrawnProduct:
    """A product before it is drawn; `look` is attribute -> option."""

    index: int
    kind: Kind
    style: Style
    look: dict[str, str]

    @property
    def attributes(self) -> tuple[str, ...]:
        """All that the drawing depends on, but for position and light."""
        return (self.kind.name, *dataclasses.astuple(self.style), *self.look.values())


def write_sample_catalogue(
    output_dir: str | os.PathLike,
    num_products: int = 480,
    valid_fraction: float = 0.25,
    seed: int = 1,
) -> pathlib.Path:
    """Draws the catalogue into `output_dir` and returns the path of its `products.jsonl`.

    The folder appears whole or not at all; if it already holds this very sample, nothing is done.
    Every sub-category has the same number of products, give or take one, and the same share of
    `valid`.
    Raises: InputError if the numbers make no sense or the folder holds anything else.
    """
    if num_products < 1 or not 0 <= valid_fraction < 1:
        raise InputError(
            "at least 1 product and a valid fraction in [0, 1) were needed. "
            f"Received: num_products={num_products}, valid_fraction={valid_fraction}"
        )
    folder = pathlib.Path(output_dir)
    summary = {
        "made_by": "data_prep.sample_catalogue",
        "version": VERSION,
        "seed": seed,
        "num_products": num_products,
        "valid_fraction": valid_fraction,
    }
    draw_folder(
        folder,
        summary,
        lambda aside: _write_all(aside, draw_products(num_products, seed), valid_fraction, seed),
    )
    return folder / MANIFEST_NAME


def draw_folder(folder: pathlib.Path, summary: dict, write: Callable[[pathlib.Path], None]) -> None:
    """What `write` puts into an empty folder, with `summary` beside it, as `folder`: whole or not
    at all; nothing is done where it holds this very sample. Raises: InputError if it holds anything
    else.
    """
    if not _holds(folder, summary):
        beside = folder.absolute().parent
        check_writable(beside)
        beside.mkdir(parents=True, exist_ok=True)
        aside = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=beside))
        try:
            write(aside)
            (aside / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
            aside.chmod(0o755)  # a temporary folder is private to its owner
            _put_in_place(aside, folder, summary)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _holds(folder: pathlib.Path, summary: dict) -> bool:
    """Whether `folder` holds this sample; false if it is absent or empty. Raises: InputError
    otherwise.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    summary_file = folder / SUMMARY
    if not summary_file.is_file():
        raise InputError(
            f"an empty or new folder was needed for the sample catalogue, but {folder} holds other"
            " files"
        )
    try:
        held = json.loads(read_text(summary_file))
    except ValueError as error:
        raise InputError(f"{summary_file} does not describe a sample catalogue: {error}") from error
    if held != summary:
        raise InputError(
            f"{folder} holds another sample catalogue. Needed: {summary}; found in {SUMMARY}:"
            f" {held}"
        )
    return True


def _put_in_place(aside: pathlib.Path, folder: pathlib.Path, summary: dict) -> None:
    try:
        aside.replace(folder)
    except OSError:
        # another process may have finished the same sample just before
        if not _holds(folder, summary):
            raise


def draw_products(num_products: int, seed: int) -> list[DrawnProduct]:
    """The attributes of every product; no two of a sub-category are the same."""
    products, taken = [], set()
    for index in range(num_products):
        rng = random.Random(f"{seed}/{index}/attributes")
        product = draw_product(index, rng)
        while product.attributes in taken:
            product = draw_product(index, rng)
        taken.add(product.attributes)
        products.append(product)
    return products


def draw_product(index: int, rng: random.Random) -> DrawnProduct:
    """A product of the kind whose turn it is, with attributes that are drawn."""
    kind = KINDS[index % len(KINDS)]
    colour = rng.choice(list(COLOURS))
    second = rng.choice(contrasting_colours(colour))
    look = {attribute: rng.choice(list(options)) for attribute, options in kind.attributes.items()}
    return DrawnProduct(index, kind, Style(colour, second, rng.choice(list(PATTERNS))), look)


def split_of(index: int, valid_fraction: float) -> str:
    """Train or valid; spreads the valid products evenly over each sub-category's products."""
    rank = index // len(KINDS)
    return (
        "valid"
        if int((rank + 1) * valid_fraction + 0.5) > int(rank * valid_fraction + 0.5)
        else "train"
    )


def describe(product: DrawnProduct, rng: random.Random) -> str:
    """One or two sentences that tell colours, pattern and every attribute."""
    kind = product.kind
    wordings = [
        rng.choice(kind.attributes[attribute][option]) for attribute, option in product.look.items()
    ]
    rng.shuffle(wordings)
    features = f"{', '.join(wordings[:-1])} and {wordings[-1]}"
    base, occasion = _base_phrase(product, rng), rng.choice(OCCASIONS)
    has, this = ("They have", "These") if kind.plural else ("It has", "This")
    sentence = rng.choice(
        (
            f"{base}. {has} {features}.",
            f"{base} {occasion}. {has} {features}.",
            f"{base}, made {occasion}, featuring {features}.",
            f"{features}: {base} {occasion}.",
            f"{this} {kind.word} {'have' if kind.plural else 'has'} {features}. {base}.",
        )
    )
    return ". ".join(part[0].upper() + part[1:] for part in sentence.split(". "))


def _base_phrase(product: DrawnProduct, rng: random.Random) -> str:
    """The product with its colours and pattern, such as "a red skirt with white dots"."""
    colour, second, pattern, word = *dataclasses.astuple(product.style), product.kind.word
    element = PATTERNS[pattern]
    if pattern == "plain":
        phrases = (
            f"plain {colour} {word} with {second} trim",
            f"{word} in plain {colour} with {second} trim",
        )
    else:
        phrases = (
            f"{colour} {word} with {second} {element}",
            f"{colour} and {second} {pattern} {word}",
            f"{pattern} {word} in {colour} and {second}",
            f"{word} with {second} {element} on {colour}",
        )
    phrase = rng.choice(phrases)
    if product.kind.plural:
        return phrase
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def title_of(product: DrawnProduct) -> str:
    """A product's title: colour, pattern (if it has one) and kind."""
    pattern = "" if product.style.pattern == "plain" else f"{product.style.pattern} "
    return f"{product.style.colour.capitalize()} {pattern}{product.kind.word}"


def _write_all(
    folder: pathlib.Path, products: list[DrawnProduct], valid_fraction: float, seed: int
) -> None:
    splits = {product.index: split_of(product.index, valid_fraction) for product in products}
    write_products(folder, products, splits, seed)


def write_products(
    folder: pathlib.Path, products: list[DrawnProduct], splits: Mapping[int, str], seed: int
) -> None:
    """The manifest of products, with the split of each, and their photos, in an empty folder."""
    (folder / "images").mkdir()
    with open(folder / MANIFEST_NAME, "w", encoding="utf-8") as manifest:
        for product in products:
            row = _write_product(folder, product, seed)
            row["split"] = splits[product.index]
            manifest.write(json.dumps(row) + "\n")


def id_of(product: DrawnProduct) -> str:
    """Its product id, which is the name of its photo, too."""
    return f"s{product.index:05d}"


def _write_product(folder: pathlib.Path, product: DrawnProduct, seed: int) -> dict:
    """Draws and saves the photo; returns the manifest's row."""
    product_id, kind, style = id_of(product), product.kind, product.style
    rng = random.Random(f"{seed}/{product.index}/photo")
    sketch, size = Sketch(), (rng.randint(184, 200), rng.randint(248, 264))
    kind.draw(sketch, product.look)
    photo, parts, whole = photograph(
        sketch, style, size, rng, np.random.default_rng([seed, product.index])
    )
    image = f"images/{product_id}.jpg"
    photo.save(folder / image, quality=JPEG_QUALITY)
    description = describe(product, random.Random(f"{seed}/{product.index}/text"))
    parts.append(Part(kind.word, whole.box))
    if style.pattern != "plain":
        parts.append(Part(PATTERNS[style.pattern], whole.box))
    return {
        "product_id": product_id,
        "image": image,
        "title": title_of(product),
        "description": description,
        "category": kind.category,
        "subcategory": kind.name,
        "colour": style.colour,
        "pattern": style.pattern,
        "parts": [_part_row(part) for part in told_parts(parts, description)],
    }


def told_parts(parts: list[Part], description: str) -> list[Part]:
    """Those whose word the description says."""
    words = {word.strip(".,:").lower() for word in description.split()}
    return [part for part in parts if part.word.lower() in words]


def _part_row(part: Part) -> dict:
    return {"word": part.word.lower(), "box": list(part.box)}
