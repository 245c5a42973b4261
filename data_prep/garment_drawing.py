"""Draws one product photo: fabric, shapes, light and shadow, with the place of every named part.

Shapes are given in product coordinates: x from -1 (left) to 1, y from -1.33 (top) to 1.33, the middle at (0, 0).
They are drawn at twice the photo's size and scaled down, which smooths every line. What the shapes of a
T-shirt or a boot are is written in `garment_shapes`.
"""

import dataclasses
import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

OVERSAMPLING = 2

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
METAL = (176, 172, 160)

Colour = tuple[int, int, int]
Points = list[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Part:
    """Where the thing that `word` names was drawn: (x1, y1, x2, y2) in pixels of the photo, half-open."""

    word: str
    box: tuple[int, int, int, int]


def contrasting_colours(colour: str) -> list[str]:
    """The names of the colours that stand out on `colour`, also for a colour-blind eye (lightness)."""
    base = np.array(COLOURS[colour], float)
    luma = np.array([0.3, 0.59, 0.11])
    offsets = {name: np.array(rgb, float) - base for name, rgb in COLOURS.items()}
    return [name for name, off in offsets.items() if np.linalg.norm(off) > 110 and abs(off @ luma) > 45]


def symmetric(right_half: Points) -> Points:
    """A closed outline from its right half, given from top to bottom."""
    return right_half + [(-x, y) for x, y in reversed(right_half)]


def mirrored(points: Points) -> Points:
    return [(-x, y) for x, y in points]


def rectangle(x1: float, y1: float, x2: float, y2: float) -> Points:
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> Points:
    angles = [2 * math.pi * step / 28 for step in range(28)]
    return [(x + radius_x * math.cos(a), y + radius_y * math.sin(a)) for a in angles]


def rounded(points: Points, rounds: int) -> Points:
    """Cuts the corners of a closed outline (Chaikin), `rounds` times."""
    for _ in range(rounds):
        following = points[1:] + points[:1]
        points = [
            (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))
            for a, b in zip(points, following)
            for share in (0.2, 0.8)
        ]
    return points


class Sketch:
    """A product on an empty photo, drawn panel by panel from back to front.

    The paints of a panel: "fabric" (the pattern), "main", "accent" (the second colour), "inside" (the main
    colour in shade), "seam" (the line colour), "metal", "sole".
    """

    def __init__(self, rng: random.Random, width: int, height: int, colour: str, second: str, pattern: str):
        """width, height: of the photo in pixels."""
        self.size = (OVERSAMPLING * width, OVERSAMPLING * height)
        main, accent = COLOURS[colour], COLOURS[second]
        dark = sum(main) < 240
        self.paints = {
            "main": main,
            "accent": accent,
            "inside": _mix(main, (255, 255, 255), 0.25) if dark else _mix(main, (0, 0, 0), 0.42),
            "seam": _mix(main, (255, 255, 255), 0.38) if dark else _mix(main, (0, 0, 0), 0.5),
            "metal": METAL,
            "sole": (236, 234, 228) if sum(main) < 600 else (88, 78, 70),
        }
        self.image = Image.new("RGB", self.size, main)
        self.mask = Image.new("L", self.size, 0)
        self.fabric = draw_fabric(self.size, main, accent, pattern)
        self._parts: list[tuple[str, list[tuple[float, float]]]] = []
        self._shift, self._scale = (0.0, 0.0), 1.0
        self._placement = _draw_placement(rng, *self.size)

    def moved(self, x: float, y: float, scale: float) -> "Sketch":
        """From now on shapes are drawn `scale` times as large, around (x, y): for the second shoe of a pair."""
        self._shift, self._scale = (x, y), scale
        return self

    def panel(self, points: Points, paint: str = "fabric", word: str = "", rounds: int = 1, edge: bool = True):
        """A filled outline; `word` is what the description calls it, `rounds` how soft its corners are."""
        outline = self._place(rounded(points, rounds))
        if paint == "fabric":
            self._fill_with_fabric(outline)
        else:
            ImageDraw.Draw(self.image).polygon(outline, fill=self.paints[paint])
        ImageDraw.Draw(self.mask).polygon(outline, fill=255)
        if edge:
            ImageDraw.Draw(self.image).line(outline + outline[:1], fill=self.paints["seam"], width=2, joint="curve")
        self.name(word, points)

    def line(self, points: Points, paint: str = "seam", width: float = 0.012, word: str = ""):
        """An open line, `width` in product coordinates."""
        path, pixels = self._place(points), max(2, round(width * self._scale * self._placement[0]))
        for target, fill in ((self.image, self.paints[paint]), (self.mask, 255)):
            ImageDraw.Draw(target).line(path, fill=fill, width=pixels, joint="curve")
        self.name(word, [(x + d, y + d) for x, y in points for d in (-width / 2, width / 2)])

    def name(self, word: str, points: Points):
        """Notes that `word` names what lies at `points`; an empty word notes nothing."""
        if word:
            self._parts.append((word, self._place(points)))

    def parts(self) -> list[Part]:
        """All named parts with boxes in pixels of the finished photo, at least one pixel large."""
        return [Part(word, self._photo_box(points)) for word, points in self._parts]

    def whole(self, word: str) -> Part:
        """The product itself, as a part."""
        x1, y1, x2, y2 = self.mask.getbbox()
        return Part(word, self._photo_box([(x1, y1), (x2, y2)]))

    def _place(self, points: Points) -> list[tuple[float, float]]:
        scale, cosine, sine, x0, y0 = self._placement
        inner, (dx, dy) = self._scale, self._shift
        moved = [(inner * x + dx, inner * y + dy) for x, y in points]
        return [(x0 + scale * (cosine * x - sine * y), y0 + scale * (sine * x + cosine * y)) for x, y in moved]

    def _fill_with_fabric(self, outline: list[tuple[float, float]]):
        x1, y1 = (max(0, int(min(p[axis] for p in outline))) for axis in (0, 1))
        x2, y2 = (min(self.size[axis], int(max(p[axis] for p in outline)) + 2) for axis in (0, 1))
        stencil = Image.new("L", (x2 - x1, y2 - y1), 0)
        ImageDraw.Draw(stencil).polygon([(x - x1, y - y1) for x, y in outline], fill=255)
        self.image.paste(self.fabric.crop((x1, y1, x2, y2)), (x1, y1), stencil)

    def _photo_box(self, points: list[tuple[float, float]]) -> tuple[int, int, int, int]:
        width, height = (side // OVERSAMPLING for side in self.size)
        xs, ys = ([p[axis] / OVERSAMPLING for p in points] for axis in (0, 1))
        x1, y1 = min(max(0, math.floor(min(xs))), width - 1), min(max(0, math.floor(min(ys))), height - 1)
        return x1, y1, min(width, max(x1 + 1, math.ceil(max(xs)))), min(height, max(y1 + 1, math.ceil(max(ys))))


def _mix(colour: Colour, other: Colour, share: float) -> Colour:
    return tuple(round((1 - share) * a + share * b) for a, b in zip(colour, other))


def _draw_placement(rng: random.Random, width: int, height: int) -> tuple[float, float, float, float, float]:
    """(pixels a unit, cosine and sine of a slight tilt, x and y of the middle); the product stays inside."""
    angle = math.radians(rng.uniform(-4, 4))
    reach = (1 + 1.33 * abs(math.sin(angle)), 1.33 + abs(math.sin(angle)))
    unit = rng.uniform(0.76, 0.96) * min(width / 2 / reach[0], height / 2 / reach[1])
    slack = width / 2 - unit * reach[0], height / 2 - unit * reach[1]
    middle = width / 2 + rng.uniform(-0.9, 0.9) * slack[0], height / 2 + rng.uniform(-0.9, 0.9) * slack[1]
    return unit, math.cos(angle), math.sin(angle), *middle


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
            draw.line([(x, y + (18 if x // 18 % 2 else 0)) for x in range(0, width + 18, 18)], fill=accent, width=11)
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


def photograph(sketch: Sketch, rng: random.Random, noise: np.random.Generator) -> Image.Image:
    """Lays the drawn product on a backdrop with folds, a soft shadow and a little sensor noise."""
    width, height = (side // OVERSAMPLING for side in sketch.size)
    product = np.asarray(sketch.image.resize((width, height), Image.Resampling.BOX), np.float32)
    mask = sketch.mask.resize((width, height), Image.Resampling.BOX)
    cover = np.asarray(mask, np.float32)[..., None] / 255
    folds = _soft_field(noise, width, height, cells=6)
    product = product * (1 + 0.09 * folds) + 5 * folds
    shade = mask.filter(ImageFilter.GaussianBlur(rng.uniform(2.5, 5)))
    shade = np.roll(np.asarray(shade, np.float32) / 255, (rng.randint(1, 4), rng.randint(-3, 3)), (0, 1))
    backdrop = _draw_backdrop(rng, noise, width, height) * (1 - rng.uniform(0.12, 0.3) * shade[..., None])
    photo = cover * product + (1 - cover) * backdrop + noise.normal(0, 1.8, (height, width, 1))
    return Image.fromarray(np.clip(np.round(photo), 0, 255).astype(np.uint8))


def _draw_backdrop(rng: random.Random, noise: np.random.Generator, width: int, height: int) -> np.ndarray:
    """[height, width, 3] float32: mostly light and even, at times with a gradient, seldom blotched like stone."""
    base = rng.uniform(222, 246) + np.array([rng.uniform(-4, 4) for _ in range(3)], np.float32)
    backdrop = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
    kind = rng.random()
    if kind > 0.6:
        x, y = rng.uniform(-14, 14), rng.uniform(-24, 24)
        backdrop += (x * np.linspace(-1, 1, width)[None, :] + y * np.linspace(-1, 1, height)[:, None])[..., None]
    if kind > 0.88:
        backdrop += 7 * _soft_field(noise, width, height, cells=14)
    return backdrop


def _soft_field(noise: np.random.Generator, width: int, height: int, cells: int) -> np.ndarray:
    """[height, width, 1] float32, smooth and random, about -1..1."""
    coarse = Image.fromarray(noise.uniform(-1, 1, (cells * 4 // 3, cells)).astype(np.float32))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))[..., None]
