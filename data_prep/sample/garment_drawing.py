"""Sketches of products: outlines with paints, and what a text calls them.

Shapes are given in product coordinates, about -1..1 across (x) and -1.33..1.33 down (y). A sketch
is only a list of shapes from back to front; `product_photo` turns it into pixels. What the shapes
of a T-shirt or a boot are is written in `garment_shapes` and `accessory_shapes`.
"""

import dataclasses
import math

Points = list[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Shape:
    """An outline to fill (`width` 0), with its edge drawn or not, or an open line of `width`.

    The paints: "fabric" (the pattern), "main", "accent" (the second colour), "inside" (the main
      colour in
    shade), "seam" (the colour of lines), "metal", "sole".
    """

    points: Points
    paint: str
    width: float = 0.0
    edge: bool = True


class Sketch:
    """Collects the shapes of one product, from back to front, and the places of what words name."""

    def __init__(self):
        self.shapes: list[Shape] = []
        self.named: list[tuple[str, Points]] = []
        self._shift, self._scale = (0.0, 0.0), 1.0

    def moved(self, x: float, y: float, scale: float) -> "Sketch":
        """From now on shapes are drawn `scale` times as large, around (x, y): for the second shoe
        of a pair.
        """
        self._shift, self._scale = (x, y), scale
        return self

    def panel(
        self,
        points: Points,
        paint: str = "fabric",
        word: str = "",
        rounds: int = 1,
        edge: bool = True,
    ):
        """A filled outline; `word` is what a text calls it, `rounds` how soft its corners are."""
        self.shapes.append(Shape(self._move(rounded(points, rounds)), paint, edge=edge))
        self.name(word, points)

    def line(self, points: Points, paint: str = "seam", width: float = 0.012, word: str = ""):
        """An open line, `width` in product coordinates."""
        self.shapes.append(Shape(self._move(points), paint, width * self._scale))
        self.name(word, [(x + d, y + d) for x, y in points for d in (-width / 2, width / 2)])

    def name(self, word: str, points: Points):
        """Notes that `word` names what lies at `points`; an empty word notes nothing."""
        if word:
            self.named.append((word, self._move(points)))

    def _move(self, points: Points) -> Points:
        return [
            (self._scale * x + self._shift[0], self._scale * y + self._shift[1]) for x, y in points
        ]


def symmetric(right_half: Points) -> Points:
    """A closed outline from its right half, given from top to bottom."""
    return right_half + [(-x, y) for x, y in reversed(right_half)]


def mirrored(points: Points) -> Points:
    """The points on the other side of the axis x = 0, in their order."""
    return [(-x, y) for x, y in points]


def rectangle(x1: float, y1: float, x2: float, y2: float) -> Points:
    """The corners of a rectangle with sides along the axes, from the upper left one."""
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> Points:
    """The outline of an ellipse around (x, y), as 28 points."""
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
