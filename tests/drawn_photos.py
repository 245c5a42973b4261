"""Drawn photos whose foreground is known: a red ellipse before grey noise. All sizes differ."""

import pathlib

import numpy as np
from PIL import Image, ImageDraw


def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(image [H, W, 3] uint8, mask [H, W] bool); the size depends on `seed`."""
    generator = np.random.default_rng(seed)
    width, height = 44 + seed % 7, 57 - seed % 5
    x, y = generator.integers(2, 15, 2)
    box = (x, y, x + generator.integers(16, 26), y + generator.integers(18, 34))
    mask = Image.new("1", (width, height))
    ImageDraw.Draw(mask).ellipse(tuple(int(side) for side in box), fill=1)
    mask = np.array(mask)
    # brightness tells nothing
    image = generator.integers(40, 220, (height, width, 1)).repeat(3, axis=2)
    image[mask] = (generator.integers(150, 256), *generator.integers(0, 70, 2))
    return image.astype(np.uint8), mask


def write(
    folder: pathlib.Path, count: int, foreground: int = 255, first: int = 0
) -> tuple[pathlib.Path, pathlib.Path]:
    """Writes `count` photos and masks of equal names; returns both folders. `foreground`: its value
    in the masks.
    """
    photos, masks = folder / "photos", folder / "masks"
    for place in (photos, masks):
        place.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        image, mask = draw(number)
        Image.fromarray(image).save(photos / f"p{number:02d}.png")
        Image.fromarray(mask.astype(np.uint8) * foreground).save(masks / f"p{number:02d}.png")
    return photos, masks
