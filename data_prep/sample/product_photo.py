"""Turns a sketch into a product photo: fabric, light, shadow, backdrop, and the place of every
named part.

Everything is drawn at twice the photo's size and scaled down, which smooths every line.
"""

import dataclasses
import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data_prep.sample.garment_drawing import Points, Sketch

OVERSAMPLING = 2
METAL = (176, 172, 160)

COLOURS = {
    "red": (196, 30, 42),
    "orange": (238, 124, 28),
    "yellow": (244, 208, 50),
    "green": (40, 130, 62),
    "teal": (28, 142, 146),
    "blue": (46, 98, 208),
    "navy": (26, 36, 84),
    "purple": (116, 52, 150),
    "pink": (240, 138, 176),
    "brown": (112, 70, 40),
    "beige": (216, 194, 156),
    "grey": (140, 142, 146),
    "black": (34, 33, 36),
    "white": (248, 248, 246),
}

Colour = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Style:
    """The names of the two colours and the pattern of a product."""

    colour: str
    second: str
    pattern: str


@dataclasses.dataclass(frozen=True)
class Part:
    """Where the thing that `word` names was drawn: (x1, y1, x2, y2) in pixels of the photo,
    half-open.
    """

    word: str
    box: tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class Placement:
    """Product coordinates to pixels: `unit` pixels a unit, a tilt in radians, (x, y) the origin's
    place.
    """

    unit: float
    tilt: float
    x: float
    y: float

    def place(self, points: Points) -> Points:
        """Points of the product as (x, y) in pixels of the photo."""
        cosine, sine = self.unit * math.cos(self.tilt), self.unit * math.sin(self.tilt)
        return [(self.x + cosine * x - sine * y, self.y + sine * x + cosine * y) for x, y in points]


def contrasting_colours(colour: str) -> list[str]:
    """The names of the colours that stand out on `colour`, also for a colour-blind eye
    (lightness).
    """
    base = np.array(COLOURS[colour], float)
    luma = np.array([0.3, 0.59, 0.11])
    offsets = {name: np.array(rgb, float) - base for name, rgb in COLOURS.items()}
    return [
        name for name, off in offsets.items() if np.linalg.norm(off) > 110 and abs(off @ luma) > 45
    ]


def photograph(
    sketch: Sketch,
    style: Style,
    size: tuple[int, int],
    rng: random.Random,
    noise: np.random.Generator,
) -> tuple[Image.Image, list[Part], Part]:
    """Draws the sketch on a backdrop, somewhere in a photo of `size` (width, height) in pixels.

    Returns: the photo; the named parts, each at least a pixel large; and the whole product as a
      part
    without a word.
    """
    placement = draw_placement(sketch, rng, size)
    product, cover = render(sketch, style, placement, size)
    photo = light(product, cover, rng, noise)
    parts = [Part(word, _photo_box(placement.place(points), size)) for word, points in sketch.named]
    x1, y1, x2, y2 = cover.getbbox()
    whole = [(OVERSAMPLING * x, OVERSAMPLING * y) for x, y in ((x1, y1), (x2, y2))]
    return photo, parts, Part("", _photo_box(whole, size))


def draw_placement(sketch: Sketch, rng: random.Random, size: tuple[int, int]) -> Placement:
    """A random place, size and slight tilt with the whole product inside the photo."""
    tilt = rng.uniform(-0.07, 0.07)
    turned = Placement(1.0, tilt, 0.0, 0.0)
    spots = [spot for shape in sketch.shapes for spot in turned.place(shape.points)]
    low, high = ([edge(spot[axis] for spot in spots) for axis in (0, 1)] for edge in (min, max))
    width, height = (OVERSAMPLING * side for side in size)
    unit = rng.uniform(0.7, 0.93) * min(width / (high[0] - low[0]), height / (high[1] - low[1]))
    slack = width - unit * (high[0] - low[0]), height - unit * (high[1] - low[1])
    # From a tenth of the free space to nine tenths, so that no product is stuck to the edge.
    x, y = (rng.uniform(0.1, 0.9) * slack[axis] - unit * low[axis] for axis in (0, 1))
    return Placement(unit, tilt, x, y)


def render(
    sketch: Sketch, style: Style, placement: Placement, size: tuple[int, int]
) -> tuple[Image.Image, Image.Image]:
    """The product in even light, and how far it covers each pixel (mode L), both of `size`."""
    canvas = tuple(OVERSAMPLING * side for side in size)
    main, accent = COLOURS[style.colour], COLOURS[style.second]
    paints, fabric = _mix_paints(main, accent), draw_fabric(canvas, main, accent, style.pattern)
    image, mask = Image.new("RGB", canvas, main), Image.new("L", canvas, 0)
    brush, stencil = ImageDraw.Draw(image), ImageDraw.Draw(mask)
    for shape in sketch.shapes:
        points = placement.place(shape.points)
        if shape.width:
            pixels = max(2, round(shape.width * placement.unit))
            brush.line(points, paints[shape.paint], pixels, joint="curve")
            stencil.line(points, 255, pixels, joint="curve")
            continue
        if shape.paint == "fabric":
            _fill_with_fabric(image, fabric, points)
        else:
            brush.polygon(points, paints[shape.paint])
        stencil.polygon(points, 255)
        if shape.edge:
            brush.line([*points, points[0]], paints["seam"], 2, joint="curve")
    return tuple(layer.resize(size, Image.Resampling.BOX) for layer in (image, mask))


def _mix_paints(main: Colour, accent: Colour) -> dict[str, Colour]:
    dark = sum(main) < 240  # on a dark garment, lines and folds are lighter than the cloth
    other, depth = ((255, 255, 255), (0.25, 0.38)) if dark else ((0, 0, 0), (0.42, 0.5))
    return {
        "main": main,
        "accent": accent,
        "inside": _mix(main, other, depth[0]),
        "seam": _mix(main, other, depth[1]),
        "metal": METAL,
        "sole": (236, 234, 228) if sum(main) < 600 else (88, 78, 70),
    }


def _mix(colour: Colour, other: Colour, share: float) -> Colour:
    return tuple(round((1 - share) * a + share * b) for a, b in zip(colour, other))


def _fill_with_fabric(image: Image.Image, fabric: Image.Image, outline: Points) -> None:
    x1, y1 = (max(0, int(min(p[axis] for p in outline))) for axis in (0, 1))
    x2, y2 = (min(image.size[axis], int(max(p[axis] for p in outline)) + 2) for axis in (0, 1))
    stencil = Image.new("L", (x2 - x1, y2 - y1), 0)
    ImageDraw.Draw(stencil).polygon([(x - x1, y - y1) for x, y in outline], fill=255)
    image.paste(fabric.crop((x1, y1, x2, y2)), (x1, y1), stencil)


def _photo_box(points: Points, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box around `points` (in pixels of the large canvas), in pixels of the photo and inside
    it.
    """
    xs, ys = ([p[axis] / OVERSAMPLING for p in points] for axis in (0, 1))
    x1, y1 = (min(max(0, math.floor(min(v))), side - 1) for v, side in zip((xs, ys), size))
    x2, y2 = (
        min(side, max(low + 1, math.ceil(max(v)))) for v, low, side in zip((xs, ys), (x1, y1), size)
    )
    return x1, y1, x2, y2


def draw_fabric(size: tuple[int, int], main: Colour, accent: Colour, pattern: str) -> Image.Image:
    """A cloth of `size` (width, height): plain, striped, checked, dotted, floral or zigzag."""
    width, height = size
    cloth = Image.new("RGB", size, main)
    draw = ImageDraw.Draw(cloth)
    if pattern == "striped":
        for y in range(0, height, 32):
            draw.rectangle((0, y, width, y + 13), fill=accent)
    elif pattern == "checked":
        light = _mix(main, accent, 0.5)
        for x in range(0, width, 44):
            draw.rectangle((x, 0, x + 20, height), fill=light)
        for y in range(0, height, 44):
            draw.rectangle((0, y, width, y + 20), fill=light)
            for x in range(0, width, 44):
                draw.rectangle((x, y, x + 20, y + 20), fill=accent)
    elif pattern == "zigzag":
        for y in range(-20, height + 20, 38):
            draw.line(
                [(x, y + (18 if x // 18 % 2 else 0)) for x in range(0, width + 18, 18)],
                fill=accent,
                width=11,
            )
    elif pattern in ("dotted", "floral"):
        step, bloom = (34, _dot) if pattern == "dotted" else (52, _flower)
        for row, y in enumerate(range(step // 2, height + step, step)):
            for x in range(step // 2 * (row % 2), width + step, step):
                bloom(draw, x, y, main, accent)
    return cloth


def _dot(draw: ImageDraw.ImageDraw, x: int, y: int, main: Colour, accent: Colour):
    draw.ellipse((x - 8, y - 8, x + 8, y + 8), fill=accent)


def _flower(draw: ImageDraw.ImageDraw, x: int, y: int, main: Colour, accent: Colour):
    for step in range(5):
        dx, dy = 11 * math.cos(1.257 * step), 11 * math.sin(1.257 * step)
        draw.ellipse((x + dx - 8, y + dy - 8, x + dx + 8, y + dy + 8), fill=accent)
    draw.ellipse((x - 6, y - 6, x + 6, y + 6), fill=_mix(main, (250, 210, 60), 0.6))


def light(
    product: Image.Image, mask: Image.Image, rng: random.Random, noise: np.random.Generator
) -> Image.Image:
    """Lays the product on a backdrop, with folds, a soft shadow and a little sensor noise."""
    width, height = product.size
    cover = np.asarray(mask, np.float32)[..., None] / 255
    folds = _soft_field(noise, width, height, cells=6)
    cloth = np.asarray(product, np.float32) * (1 + 0.09 * folds) + 5 * folds
    shade = np.asarray(mask.filter(ImageFilter.GaussianBlur(rng.uniform(2.5, 5))), np.float32) / 255
    shade = np.roll(shade, (rng.randint(1, 4), rng.randint(-3, 3)), (0, 1))[..., None]
    backdrop = _draw_backdrop(rng, noise, width, height) * (1 - rng.uniform(0.12, 0.3) * shade)
    photo = cover * cloth + (1 - cover) * backdrop + noise.normal(0, 1.8, (height, width, 1))
    return Image.fromarray(np.clip(np.round(photo), 0, 255).astype(np.uint8))


def _draw_backdrop(
    rng: random.Random, noise: np.random.Generator, width: int, height: int
) -> np.ndarray:
    """[height, width, 3] float32: mostly light and even, at times with a gradient, seldom blotched
    like stone.
    """
    base = rng.uniform(220, 243) + np.array([rng.uniform(-4, 4) for _ in range(3)], np.float32)
    backdrop = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
    kind = rng.random()
    if kind > 0.6:
        x, y = rng.uniform(-14, 14), rng.uniform(-24, 24)
        backdrop += (
            x * np.linspace(-1, 1, width)[None, :] + y * np.linspace(-1, 1, height)[:, None]
        )[..., None]
    if kind > 0.88:
        backdrop += 6 * _soft_field(noise, width, height, cells=14)
    return backdrop


def _soft_field(noise: np.random.Generator, width: int, height: int, cells: int) -> np.ndarray:
    """[height, width, 1] float32, smooth and random, about -1..1."""
    coarse = Image.fromarray(noise.uniform(-1, 1, (cells * 4 // 3, cells)).astype(np.float32))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))[..., None]
