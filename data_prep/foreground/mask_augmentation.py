"""Photos and masks as a saliency network is trained on them: brought to one size, and drawn anew in
every epoch.

S = working side in pixels, H, W = a photo's size. In `valid` 1 is a pixel of the photo, 0 is one
that was filled in.
"""

import concurrent.futures
import dataclasses
import os

import cv2
import numpy as np

from data_prep.foreground.border_contrast import shrink
from data_prep.foreground.mask_files import MaskPair, read_mask
from kaleido_tf.files.images import read_image

# photos are kept at this many working sides, so that a part of one can be taken without blur
KEPT_SIDES = 1.25
SCALES = 0.75, 1.5  # of the letter-boxed photo
TURN = 10.0  # degrees to either side
# of the views stand before a smooth light backdrop, as in a catalogue, instead of their own
# background
BACKDROP = 0.25
COLOUR = 0.3  # brightness, contrast and saturation change by up to this share


@dataclasses.dataclass(frozen=True)
class Example:
    """`image` [H, W, 3] uint8 RGB and `mask` [H, W] uint8 (0 or 1), both shrunk to `KEPT_SIDES`
    working sides at most.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray


def read_mask_examples(pairs: list[MaskPair], side: int) -> list[Example]:
    """Reads all pairs on all cores; they stay in memory (about 0.1 MB each at a side of 160).

    Raises: InputError for a photo or mask that cannot be read, or sizes that differ.
    """

    def read(pair: MaskPair) -> Example:
        image = read_image(pair.photo, pair.where)
        mask = read_mask(pair.mask, image.shape, pair.where, pair.kind)
        small = shrink(image, round(KEPT_SIDES * side))
        height, width = small.shape[:2]
        kept = (
            cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.5
        )
        return Example(pair.name, small, kept.astype(np.uint8))

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(read, pairs))


def drawn(
    example: Example, side: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One random view: scaled, turned, shifted, mirrored, its background and colours changed.

    Returns: image [S, S, 3] uint8, mask [S, S] uint8, valid [S, S] uint8.
    """
    scale = np.exp(generator.uniform(*np.log(SCALES)))
    # A photo that is larger than the square shows a random part, one that is smaller lies at a
    # random place.
    shift = generator.uniform(-0.5, 0.5, 2) * (0.1 + abs(scale - 1)) * side
    views = place(example, side, scale, generator.uniform(-TURN, TURN), shift)
    if generator.random() < 0.5:
        views = tuple(np.ascontiguousarray(view[:, ::-1]) for view in views)
    image, mask, valid = views
    if generator.random() < BACKDROP:
        image = _before_backdrop(image, mask, valid, generator)
    return _recolour(image, generator), mask, valid


def place(
    example: Example, side: int, scale: float = 1.0, degrees: float = 0.0, shift=(0.0, 0.0)
) -> tuple:
    """The letter-boxed photo, scaled and turned about its middle, shifted by (right, down) pixels;
    shapes as `drawn`.
    """
    height, width = example.image.shape[:2]
    factor = scale * side / max(height, width)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, factor)
    matrix[:, 2] += (np.array([side, side]) - 1) / 2 - (np.array([width, height]) - 1) / 2 + shift

    def warp(array, interpolation, border=0):
        return cv2.warpAffine(array, matrix, (side, side), flags=interpolation, borderValue=border)

    # the grey of `saliency.letter_box`
    image = warp(example.image, cv2.INTER_LINEAR, (124, 117, 104))
    valid = warp(np.ones((height, width), np.uint8), cv2.INTER_NEAREST)
    return image, warp(example.mask, cv2.INTER_NEAREST), valid


def _before_backdrop(
    image: np.ndarray, mask: np.ndarray, valid: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """The foreground before a light surface of nearly one colour, with a slope and a little noise;
    [S, S, 3] uint8.
    """
    side = len(image)
    down, right = generator.uniform(-25, 25, 2)
    slope = np.linspace(-down, down, side)[:, None] + np.linspace(-right, right, side)
    colour = generator.uniform(170, 255) + generator.uniform(-10, 10, 3)
    noise = generator.normal(0, generator.uniform(0, 4), (side, side))
    backdrop = colour + (slope + noise)[..., None]
    cover = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)  # no edge as sharp as scissors'
    cover = np.where(valid > 0, cover, 1)[..., None]  # the filled-in rim stays as it is
    return np.clip(cover * image + (1 - cover) * backdrop, 0, 255).astype(np.uint8)


def _recolour(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    brightness, contrast, saturation = 1 + generator.uniform(-COLOUR, COLOUR, 3)
    pixels = image.astype(np.float32) * brightness
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    pixels = grey[..., None] + saturation * (pixels - grey[..., None])
    middle = float(grey.mean())
    return np.clip(middle + contrast * (pixels - middle), 0, 255).astype(np.uint8)
