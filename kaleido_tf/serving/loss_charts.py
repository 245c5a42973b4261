"""The losses of a run as drawings, one for every task, as in the paper's figure 6."""

import math
from collections.abc import Sequence

from kaleido_tf.serving.markup import Markup, joined, tag

TITLES = {
    "loss": "Sum of all tasks",
    "masked_lm_loss": "Masked language",
    "next_sentence_loss": "Image-text matching",
    "rotation_loss": "Rotation (task I)",
    "jigsaw_loss": "Jigsaw (task II)",
    "camouflage_loss": "Camouflage (task III)",
    "grey_to_color_loss": "Grey to color (task IV)",
    "blank_to_color_loss": "Blank to color (task V)",
    "masked_patch_loss": "Masked patches",
    "classification_loss": "Recognition",
    "caption_loss": "Captions",
}
NAMES = {"train": "training", "eval": "validation"}
MOST_POINTS = 400
"""Points a line; of more reports, every k-th is drawn."""
WIDTH, HEIGHT = 340, 220
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 12, 40
Points = list[tuple[float, float]]


def losses_of(metrics: Sequence[dict]) -> dict[str, dict[str, Points]]:
    """Name of a loss -> `train` and `eval` -> (step, loss), finite ones; the sum first, where it is
    not that of a single task.
    """
    found: dict[str, dict[str, Points]] = {}
    for line in metrics:
        for name, value in line.items():
            is_task = name.endswith("_loss") and name != "mean_batch_loss"
            if line["kind"] in NAMES and (is_task or name == "loss") and math.isfinite(value):
                kinds = found.setdefault(name, {})
                kinds.setdefault(line["kind"], []).append((line["step"], value))
    if len(found) == 2:
        found.pop("loss", None)
    return found


def loss_charts(metrics: Sequence[dict]) -> Markup:
    """A drawing of every loss, and what its lines are."""
    losses = losses_of(metrics)
    key = tag(
        "p",
        *(
            joined([tag("span", "", class_=f"swatch {kind}"), f" {name} "])
            for kind, name in NAMES.items()
            if any(kind in kinds for kinds in losses.values())
        ),
        class_="key",
    )
    return joined(
        [key, tag("div", *(_figure(*named) for named in losses.items()), class_="charts")]
    )


def _figure(name: str, kinds: dict[str, Points]) -> Markup:
    title = TITLES.get(name, name.removesuffix("_loss").replace("_", " "))
    told = "; ".join(_told(NAMES[kind], points) for kind, points in kinds.items())
    longest = max(map(len, kinds.values()))
    stride = math.ceil(longest / MOST_POINTS)
    note = f" (every {stride}th report)" if stride > 1 else ""
    return tag(
        "figure",
        tag("figcaption", title + note),
        _drawing({kind: _thinned(points) for kind, points in kinds.items()}, f"{title}: {told}"),
    )


def _told(name: str, points: Points) -> str:
    (first, begun), (last, ended) = points[0], points[-1]
    if len(points) == 1:
        return f"{name} loss {begun:.3g} at step {first}"
    return f"{name} loss from {begun:.3g} at step {first} to {ended:.3g} at step {last}"


def _thinned(points: Points) -> Points:
    stride = math.ceil(len(points) / MOST_POINTS)
    return points[:: max(stride, 1)] + (points[-1:] if stride > 1 else [])


def _drawing(kinds: dict[str, Points], label: str) -> Markup:
    every = [point for points in kinds.values() for point in points]
    steps, values = zip(*every)
    x = _Axis(0, max(steps), LEFT, WIDTH - RIGHT)
    y = _Axis(min(values), max(values), HEIGHT - BOTTOM, TOP)
    shapes = [*_grid(x, y), *_axis_names()]
    for kind, points in kinds.items():
        places = [(x.place(step), y.place(value)) for step, value in points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        shapes.append(tag("polyline", points=path, class_=f"line {kind}"))
        if kind == "eval" or len(places) == 1:
            shapes += [
                tag("circle", cx=f"{a:.1f}", cy=f"{b:.1f}", r=3, class_=f"dot {kind}")
                for a, b in places
            ]
    box = f"0 0 {WIDTH} {HEIGHT}"
    return tag("svg", *shapes, viewBox=box, role="img", aria_label=label)


def _grid(x: "_Axis", y: "_Axis") -> list[Markup]:
    bottom, shapes = HEIGHT - BOTTOM, []
    for value, name in y.ticks():
        at = f"{y.place(value):.1f}"
        shapes.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="grid"))
        shapes.append(tag("text", name, x=LEFT - 6, y=at, class_="tick end", dy="0.35em"))
    for value, name in x.ticks():
        at = f"{x.place(value):.1f}"
        shapes.append(tag("line", x1=at, x2=at, y1=bottom, y2=bottom + 4, class_="grid"))
        shapes.append(tag("text", name, x=at, y=bottom + 16, class_="tick middle"))
    return shapes


def _axis_names() -> list[Markup]:
    middle = (HEIGHT - BOTTOM + TOP) / 2
    return [
        tag("text", "step", x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 6, class_="tick middle"),
        tag(
            "text",
            "loss",
            x=12,
            y=middle,
            class_="tick middle",
            transform=f"rotate(-90 12 {middle:g})",
        ),
    ]


class _Axis:
    """Values from `low` to `high` on places from `start` to `end`."""

    def __init__(self, low: float, high: float, start: float, end: float):
        room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
        # Steps begin at 0 and end with the run; losses get some room.
        self.low, self.high = (low, high or 1) if low == 0 else (low - room, high + room)
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        """Where a value stands."""
        return self._start + (value - self.low) / (self.high - self.low) * (self._end - self._start)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values, three to six, with their names."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
        first = math.ceil(self.low / step)
        values = [n * step for n in range(first, math.floor(self.high / step) + 1)]
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return [(value, f"{value:.{decimals}f}") for value in values]
