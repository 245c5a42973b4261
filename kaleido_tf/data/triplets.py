"""Triplets of text-guided image retrieval: a photo, what is to change, and the photo that is looked
for.

R = triplets. Files are FashionIQ's (`cap.<class>.<split>.json`, with or without the fields that
FashionViL's release adds to those of validation: `target_id`, `fake_data`, `garment_class`), or
JSON lines with `reference`, `target`, `captions` (or `text`), `category` and `split`.
"""

import dataclasses
import os
import re
from collections.abc import Iterable, Sequence

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_list
from kaleido_tf.files.json_rows import JsonRow, read_json_rows
from kaleido_tf.files.photo_files import find_photo

GARMENT_CLASSES = ("dress", "shirt", "toptee")
"""By their numbers in `garment_class`."""
_READING_ORDER = ("shirt", "dress", "toptee")


@dataclasses.dataclass(frozen=True)
class Triplet:
    """Attributes:
    reference, target: names of photos. captions: what is to change, in one or several sentences.
    group: the garment class or category, whose targets are one gallery. target_id: a number that
      targets of one photo share; None where the file has none. is_query: False for a row that
      gives its target to the gallery and asks nothing (`fake_data`).
    """

    reference: str
    target: str
    captions: tuple[str, ...]
    group: str = ""
    target_id: int | None = None
    is_query: bool = True

    @property
    def text(self) -> str:
        """The captions as the model reads them."""
        return ", ".join(self.captions)


def open_triplets(given: str, split: str, whole_gallery: bool = False) -> list[Triplet]:
    """The triplets that a flag names: a folder of FashionIQ, or files with commas between.

    Args: split: of files whose rows say their `split` these rows; of a folder
      `cap.<class>.<split>.json`, where `valid` is called `val`. whole_gallery: as
      `read_fashion_iq`, where the folder has `image_splits/`.
    Raises: InputError as `read_fashion_iq` and `read_triplets`, or if no row asks anything.
    """
    if os.path.isdir(given):
        named = {"valid": "val"}.get(split, split)
        whole_gallery &= os.path.isdir(os.path.join(given, "image_splits"))
        triplets = read_fashion_iq(given, named, whole_gallery=whole_gallery)
    else:
        triplets = []
        for path in given.split(","):
            says_split = any("split" in row for row in read_json_rows(path))
            triplets += read_triplets(path, split if says_split else None)
    if not any(triplet.is_query for triplet in triplets):
        raise InputError(
            f"{given}: a triplet that asks for something is needed. Received: {len(triplets)} rows"
            " for the gallery alone (`fake_data`)"
        )
    return triplets


def read_fashion_iq(
    folder: str | os.PathLike, split: str, garment_class: str = "all", whole_gallery: bool = False
) -> list[Triplet]:
    """The triplets of FashionIQ's `captions/cap.<class>.<split>.json`, of all classes in the order
    of the release (shirt, dress, toptee), or of one.

    Args: folder: that holds `captions/`. whole_gallery: adds the photos of
      `image_splits/split.<class>.<split>.json` that are no target, as `gallery_only`; the
      release's files of validation hold them already.
    Raises: InputError for an unknown class, a missing file, or as `read_triplets`.
    """
    if garment_class not in ("all", *GARMENT_CLASSES):
        raise InputError(
            f"The garment class must be all, {', '.join(GARMENT_CLASSES)}. Received:"
            f" {garment_class}"
        )
    triplets: list[Triplet] = []
    for name in _READING_ORDER if garment_class == "all" else (garment_class,):
        of_class = read_triplets(os.path.join(folder, "captions", f"cap.{name}.{split}.json"))
        if whole_gallery:
            path = os.path.join(folder, "image_splits", f"split.{name}.{split}.json")
            of_class += gallery_only(_names(path), name, of_class)
        triplets += of_class
    return triplets


def read_triplets(path: str | os.PathLike, split: str | None = None) -> list[Triplet]:
    """The triplets of a file, in its order.

    Args: split: only the rows whose field `split` says so; None: all.
    Raises: InputError for a file of another form, a missing photo name or text, an unknown garment
      class, `target_id` in some rows only, or a split without rows.
    """
    rows = read_json_rows(path)
    if split is not None:
        rows = [row for row in rows if row.text("split") == split]
        if not rows:
            raise InputError(f"{path}: triplets of the split {split!r} are needed. Received: none")
    triplets = [_triplet(row, _class_in(path)) for row in rows]
    if len({triplet.target_id is None for triplet in triplets}) > 1:
        raise InputError(f"{path}: `target_id` in every row or in none is needed. Received: some")
    return triplets


def _triplet(row: JsonRow, group: str) -> Triplet:
    is_query = not ("fake_data" in row and row.flag("fake_data"))
    captions = row.texts("captions") if "captions" in row else (row.text("text"),)
    if is_query and not any(caption.strip() for caption in captions):
        raise InputError(f"A triplet needs a text of what is to change. Received: '' ({row.where})")
    return Triplet(
        row.identifier("candidate" if "candidate" in row else "reference"),
        row.identifier("target"),
        captions,
        _group(row) or group,
        row.number("target_id") if "target_id" in row else None,
        is_query,
    )


def _group(row: JsonRow) -> str:
    if "garment_class" not in row:
        return row.text("category") if "category" in row else ""
    number = row.number("garment_class")
    if not 0 <= number < len(GARMENT_CLASSES):
        named = ", ".join(f"{n} ({name})" for n, name in enumerate(GARMENT_CLASSES))
        raise InputError(f"`garment_class` must be {named}. Received: {number} ({row.where})")
    return GARMENT_CLASSES[number]


def _class_in(path) -> str:
    match = re.fullmatch(r"cap\.(\w+)\.\w+\.json", os.path.basename(path))
    return match[1] if match else ""


def _names(path: str) -> list[str]:
    names = read_json_list(path)
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"{path} must hold a list of names of photos. Received: {names!r:.60}")
    return names


def gallery_only(
    names: Iterable[str], group: str, triplets: Sequence[Triplet] = ()
) -> list[Triplet]:
    """Rows that ask nothing and give the gallery of `group` the photos which are no target of
    `triplets`; each once.
    """
    known = {triplet.target for triplet in triplets}
    others = (name for name in dict.fromkeys(names) if name not in known)
    return [Triplet(name, name, ("", ""), group, is_query=False) for name in others]


def target_numbers(triplets: Sequence[Triplet]) -> np.ndarray:
    """[R] int: `target_id`, or, where rows have none, a number that rows of one target share."""
    if all(triplet.target_id is not None for triplet in triplets):
        return np.array([triplet.target_id for triplet in triplets], np.int64)
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(t.target, len(numbers)) for t in triplets], np.int64)


def photos_of(triplets: Sequence[Triplet], folder: str | os.PathLike) -> dict[str, str]:
    """Name -> file in `folder` of every reference and target. Raises: InputError naming the first
    that is missing, and how many are.
    """
    names = dict.fromkeys(name for t in triplets for name in (t.reference, t.target))
    files = {name: find_photo(folder, name) for name in names}
    missing = [name for name, file in files.items() if file is None]
    if missing:
        raise InputError(
            f"{folder}: the photo of every reference and target is needed. Not found:"
            f" {missing[0]} ({len(missing)} of {len(files)})"
        )
    return files
