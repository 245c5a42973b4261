"""Foreground masks as files: one mask, and folders of photos and masks to learn from.

A mask marks the foreground by values above 127, a label map (0 = background, else the number of a
label) by any above 0. A mask that has values above 0 but none above 127 is no mask, but nearly
always a label map (0 and 1) or fractions. H, W = size of the photo in pixels.
"""

import dataclasses
import json
import pathlib

import cv2
import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.files.images import read_values
from kaleido_tf.files.input_files import visible_files
from kaleido_tf.files.text_files import read_lines

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
KINDS = ("mask", "label_map")
# pixels of the smaller of mask and photo by which its sides may miss the other's proportions:
# rounding
SIZE_TOLERANCE = 1


def read_mask(
    path: pathlib.Path, photo_shape: tuple[int, ...], where: str, kind: str = "mask"
) -> np.ndarray:
    """[H, W] bool, true on the foreground, as large as the photo.

    A mask of the photo's proportions and another size (within `SIZE_TOLERANCE`) is resized.
    Raises: InputError if it is missing, no image, of other proportions (with both sizes), or as
      `check_values`.
    """
    values = read_values(path, where)
    if kind == "mask":
        check_values(values, path, where)
    mask = values > (0 if kind == "label_map" else _threshold(values))
    height, width = photo_shape[:2]
    if mask.shape == (height, width):
        return mask
    turned = proportional(mask.shape[::-1], (height, width))
    if mask.shape == (width, height) or not proportional(mask.shape, (height, width)):
        hint = ", as if one of the two were turned (photos are turned by their EXIF)" * turned
        raise InputError(
            f"Needed: a mask of the photo's size {width} x {height}, or in proportion to it within"
            f" {SIZE_TOLERANCE} pixel."
            f" Received: {mask.shape[1]} x {mask.shape[0]}{hint}. Where: {path}"
            f" ({where})."
        )
    interpolation = cv2.INTER_AREA if mask.shape[0] > height else cv2.INTER_LINEAR
    return cv2.resize(mask.astype(np.float32), (width, height), interpolation=interpolation) > 0.5


def check_values(values: np.ndarray, path: pathlib.Path, where: str) -> None:
    """Raises InputError, with the values, unless a mask's values [H, W] can mark a product or say
    that there is none (all 0).
    """
    levels = np.unique(values)
    if 0 < levels[-1] <= _threshold(values):
        came = ", ".join(map(str, levels[:5])) + (f", ... {levels[-1]}" if len(levels) > 5 else "")
        raise InputError(
            f"Needed: a mask, with values above {_threshold(values)} on the product. Received: the"
            f" values {came}, none of them above it. Where: {path} ({where})."
        )


def _threshold(values: np.ndarray) -> int:
    return 127 if values.dtype == np.uint8 else 127 * 257


def proportional(mask: tuple[int, ...], photo: tuple[int, ...]) -> bool:
    """Whether one scale brings the larger of both sizes (height, width) to the smaller one, within
    the tolerance.
    """
    small, large = sorted((mask, photo), key=max)
    # Each side allows a range of scales; they must have one in common.
    low = max((s - SIZE_TOLERANCE) / side for s, side in zip(small, large))
    high = min((s + SIZE_TOLERANCE) / side for s, side in zip(small, large))
    return low <= high


@dataclasses.dataclass(frozen=True)
class MaskPair:
    """A photo and its mask. `kind`: one of `KINDS`. `split`: train, valid or empty (not decided).
    `where`: for messages.
    """

    name: str
    photo: pathlib.Path
    mask: pathlib.Path
    kind: str
    split: str
    where: str


def choose_pairs(
    images: list[str],
    masks: list[str],
    kinds: list[str],
    items: list[str],
    holdout: float = 0.2,
    seed: int = 0,
) -> dict[str, list[MaskPair]]:
    """The pairs of `train` and `valid`: those of the listings `items` by their `split`, or those of
    folders.

    Args: images, masks: equally many folders. kinds: one of `KINDS` for all of them, or one for
      each. holdout: share of each folder's photos that is held out; which ones depends on `seed`.
    Raises: InputError if the arguments do not fit together, or as `find_pairs` and `read_listing`.
    """
    if bool(items) == bool(images or masks):
        raise InputError(
            "Either --items or --images and --masks are needed. Received: "
            + ("both" if items else "neither")
        )
    if items:
        pairs = [pair for path in items for pair in read_listing(path)]
        return {
            split: [pair for pair in pairs if pair.split == split] for split in ("train", "valid")
        }
    kinds = kinds * len(images) if len(kinds) == 1 else kinds
    if not len(images) == len(masks) == len(kinds):
        raise InputError(
            "--images, --masks and --mask_kind must be equally many (or one --mask_kind)."
            f" Received: {len(images)}, {len(masks)} and {len(kinds)}"
        )
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise InputError(f"--mask_kind must be one of {', '.join(KINDS)}. Received: {unknown[0]}")
    chosen = {"train": [], "valid": []}
    for folders in zip(images, masks, kinds):
        pairs = find_pairs(*folders)
        order = np.random.default_rng(seed).permutation(len(pairs))
        count = round(holdout * len(pairs))
        chosen["valid"] += [pairs[n] for n in sorted(order[:count])]
        chosen["train"] += [pairs[n] for n in sorted(order[count:])]
    return chosen


def find_pairs(images: str, masks: str, kind: str) -> list[MaskPair]:
    """The photos of a folder and the PNG masks of equal stems in another, sorted by name.

    Masks without a photo are left alone. Raises: InputError for a missing or empty folder, a photo
    without a mask, or two photos of one stem.
    """
    photo_folder, mask_folder = (
        _folder(name, flag) for name, flag in ((images, "--images"), (masks, "--masks"))
    )
    photos = [
        path
        for path in map(pathlib.Path, visible_files(photo_folder, ""))
        if path.suffix.lower() in PHOTO_ENDINGS
    ]
    if not photos:
        raise InputError(
            f"--images: needed a folder with photos ({', '.join(PHOTO_ENDINGS)}). Received:"
            f" {photo_folder}, which has none"
        )
    known = {}
    for photo in photos:
        if photo.stem in known:
            raise InputError(
                f"--images: one photo of a name was needed. Received: {known[photo.stem].name} and"
                f" {photo.name} in {photo_folder}"
            )
        known[photo.stem] = photo
    missing = [stem for stem in known if not (mask_folder / f"{stem}.png").is_file()]
    if missing:
        raise InputError(
            f"--masks: every photo needs a mask of its name. {len(missing)} of {len(photos)} have"
            f" none in {mask_folder}; the first: {known[missing[0]].name} needs {missing[0]}.png"
        )
    return [
        MaskPair(
            stem, known[stem], mask_folder / f"{stem}.png", kind, "", f"mask of {known[stem].name}"
        )
        for stem in sorted(known)
    ]


def _folder(name: str, flag: str) -> pathlib.Path:
    folder = pathlib.Path(name)
    if not folder.is_dir():
        raise InputError(f"{flag}: a folder was needed. Received: {name}")
    return folder


def read_listing(path: str | pathlib.Path) -> list[MaskPair]:
    """The pairs that a listing names: one JSON object a line with `id`, `image`, `split` (train or
    valid) and either `mask` or `label_map`; paths are relative to the listing.

    Raises: InputError for a missing or empty listing, or a line that lacks something, with its
      number.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(
            f"A listing (items.jsonl) of photos and masks was needed. Not found: {path}"
        )
    lines = enumerate(read_lines(path), start=1)
    pairs = [_listed(path, number, line) for number, line in lines if line.strip()]
    if not pairs:
        raise InputError(
            f"A listing with at least one line was needed. Received: {path}, which is empty"
        )
    return pairs


def _listed(path: pathlib.Path, number: int, line: str) -> MaskPair:
    where = f"{path} line {number}"
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} must be a JSON object. Received: {error}") from error
    kinds = [kind for kind in KINDS if isinstance(item, dict) and kind in item]
    texts = isinstance(item, dict) and all(
        isinstance(item.get(key), str) for key in ("id", "image", "split", *kinds)
    )
    if not texts or len(kinds) != 1 or item["split"] not in ("train", "valid"):
        raise InputError(
            f"{where} needs `id`, `image`, `split` (train or valid) and either `mask` or"
            f" `label_map`. Received: {line.strip()[:200]}"
        )
    return MaskPair(
        item["id"],
        path.parent / item["image"],
        path.parent / item[kinds[0]],
        kinds[0],
        item["split"],
        where,
    )
