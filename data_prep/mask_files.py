"""Foreground masks as files: one mask, and folders of photos and masks to learn from.

A mask marks the foreground by values above 127, a label map (0 = background, else the number of a label) by any above 0.
H, W = size of the photo in pixels.
"""

import dataclasses
import json
import pathlib

import cv2
import numpy as np

from data_prep.images import read_values
from kaleido_tf.errors import InputError

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
KINDS = ("mask", "label_map")
SIZE_TOLERANCE = 1  # pixels of the mask by which its sides may miss the photo's proportions: rounding, no other picture


def read_mask(path: pathlib.Path, photo_shape: tuple[int, ...], where: str, kind: str = "mask") -> np.ndarray:
    """[H, W] bool, true on the foreground, as large as the photo.

    A mask of the photo's proportions and another size (to `SIZE_TOLERANCE` pixels of the mask) is resized.
    Raises: InputError if it is missing, no image, or of other proportions; with both sizes.
    """
    values = read_values(path, where)
    deep = values.dtype != np.uint8
    mask = values > (0 if kind == "label_map" else 127 * 257 if deep else 127)
    height, width = photo_shape[:2]
    if mask.shape == (height, width):
        return mask
    if not proportional(mask.shape, (height, width)):
        raise InputError(
            f"Needed: a mask of the photo's size {width} x {height}, or in proportion to it within {SIZE_TOLERANCE} pixel. "
            f"Came: {mask.shape[1]} x {mask.shape[0]}. Where: {path} ({where})."
        )
    interpolation = cv2.INTER_AREA if mask.shape[0] > height else cv2.INTER_LINEAR
    return cv2.resize(mask.astype(np.float32), (width, height), interpolation=interpolation) > 0.5


def proportional(mask: tuple[int, ...], photo: tuple[int, ...]) -> bool:
    """Whether some scale brings the sides of `photo` (height, width) to those of `mask` within the tolerance."""
    # Each side allows a range of scales; they must have one in common.
    low = max((m - SIZE_TOLERANCE) / p for m, p in zip(mask, photo))
    high = min((m + SIZE_TOLERANCE) / p for m, p in zip(mask, photo))
    return low <= high


@dataclasses.dataclass(frozen=True)
class MaskPair:
    """A photo and its mask. `kind`: one of `KINDS`. `split`: train, valid or empty (not decided). `where`: for messages."""

    name: str
    photo: pathlib.Path
    mask: pathlib.Path
    kind: str
    split: str
    where: str


def find_pairs(images: str, masks: str, kind: str) -> list[MaskPair]:
    """The photos of a folder and the PNG masks of equal stems in another, sorted by name.

    Masks without a photo are left alone. Raises: InputError for a missing or empty folder, a photo without a mask, or two
    photos of one stem.
    """
    photo_folder, mask_folder = (_folder(name, flag) for name, flag in ((images, "--images"), (masks, "--masks")))
    photos = sorted(path for path in photo_folder.iterdir() if path.suffix.lower() in PHOTO_ENDINGS)
    if not photos:
        raise InputError(f"--images: needed a folder with photos ({', '.join(PHOTO_ENDINGS)}). Received: {photo_folder}, which has none")
    known = {}
    for photo in photos:
        if photo.stem in known:
            raise InputError(f"--images: one photo of a name was needed. Received: {known[photo.stem].name} and {photo.name} in {photo_folder}")
        known[photo.stem] = photo
    missing = [stem for stem in known if not (mask_folder / f"{stem}.png").is_file()]
    if missing:
        raise InputError(
            f"--masks: every photo needs a mask of its name. {len(missing)} of {len(photos)} have none in {mask_folder}; "
            f"the first: {known[missing[0]].name} needs {missing[0]}.png"
        )
    return [MaskPair(stem, known[stem], mask_folder / f"{stem}.png", kind, "", f"mask of {known[stem].name}") for stem in sorted(known)]


def _folder(name: str, flag: str) -> pathlib.Path:
    folder = pathlib.Path(name)
    if not folder.is_dir():
        raise InputError(f"{flag}: a folder was needed. Received: {name}")
    return folder


def read_listing(path: str | pathlib.Path) -> list[MaskPair]:
    """The pairs that a listing names: one JSON object a line with `id`, `image`, `split` (train or valid) and either `mask` or
    `label_map`; paths are relative to the listing.

    Raises: InputError for a missing or empty listing, or a line that lacks something, with its number.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"A listing (items.jsonl) of photos and masks was needed. Not found: {path}")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except ValueError as error:
        raise InputError(f"{path} must be UTF-8 text. Received: {error}") from error
    pairs = [_listed(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not pairs:
        raise InputError(f"A listing with at least one line was needed. Received: {path}, which is empty")
    return pairs


def _listed(path: pathlib.Path, number: int, line: str) -> MaskPair:
    where = f"{path} line {number}"
    try:
        item = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where} must be a JSON object. Received: {error}") from error
    kinds = [kind for kind in KINDS if isinstance(item, dict) and kind in item]
    texts = isinstance(item, dict) and all(isinstance(item.get(key), str) for key in ("id", "image", "split", *kinds))
    if not texts or len(kinds) != 1 or item["split"] not in ("train", "valid"):
        raise InputError(
            f"{where} needs `id`, `image`, `split` (train or valid) and either `mask` or `label_map`. Received: {line.strip()[:200]}"
        )
    return MaskPair(item["id"], path.parent / item["image"], path.parent / item[kinds[0]], kinds[0], item["split"], where)
