"""How the accessories of the sample catalogue are drawn (coordinates as in `garment_drawing`)."""

from data_prep.sample.garment_drawing import Sketch, ellipse, rectangle, symmetric


def draw_bag(s: Sketch, look: dict[str, str]) -> None:
    """A handbag: strap or handle behind, body, flap, clasp."""
    if look["handle"] == "strap":
        s.line(
            [(-0.7, -0.1), (-0.45, -0.95), (0.0, -1.28), (0.45, -0.95), (0.7, -0.1)],
            "accent",
            0.07,
            "strap",
        )
    else:
        s.line(
            [(-0.34, -0.1), (-0.3, -0.5), (0.0, -0.66), (0.3, -0.5), (0.34, -0.1)],
            "accent",
            0.13,
            "handle",
        )
    if look["body"] == "rounded":
        s.panel(symmetric([(0.55, -0.2), (0.85, 0.25), (0.8, 0.8), (0.4, 1.0)]), rounds=3)
    else:
        s.panel(rectangle(-0.85, -0.2, 0.85, 1.0), rounds=0)
    if look["closure"] == "zip":
        s.line([(-0.55, 0.02), (0.55, 0.02)], "seam", 0.12)
        s.line([(-0.55, 0.02), (0.55, 0.02)], "metal", 0.07, "zip")
        s.panel(rectangle(0.4, 0.0, 0.48, 0.2), "metal", rounds=0)
    else:
        s.panel(symmetric([(0.6, -0.19), (0.62, 0.1), (0.2, 0.38)]), "accent", "flap", rounds=0)
        s.panel(ellipse(0.0, 0.27, 0.08, 0.08), "metal", rounds=0)
    if look["pocket"] == "yes":
        s.panel(rectangle(-0.4, 0.5, 0.4, 0.88), "accent", "pocket", rounds=0)
        s.line([(-0.4, 0.57), (0.4, 0.57)])


def draw_hat(s: Sketch, look: dict[str, str]) -> None:
    """Crown, band, and a brim or a peak."""
    top = {"high": -0.85, "low": -0.4}[look["crown"]]
    if look["brim"] == "wide":
        s.panel(ellipse(0.0, 0.38, 0.98, 0.24), word="brim", rounds=0)
    elif look["brim"] == "narrow":
        s.panel(ellipse(0.0, 0.36, 0.68, 0.15), word="brim", rounds=0)
    s.panel(
        symmetric([(0.36, top), (0.48, 0.5 * top), (0.53, 0.4), (0.3, 0.47)]),
        word="crown",
        rounds=2,
    )
    if look["brim"] == "peak":
        s.panel(
            [(0.1, 0.28), (0.5, 0.2), (0.95, 0.42), (0.98, 0.56), (0.5, 0.48), (0.1, 0.5)],
            "accent",
            "peak",
            rounds=2,
        )
    if look["trim"] == "band":
        s.panel(
            [(-0.52, 0.1), (0.52, 0.1), (0.53, 0.32), (-0.53, 0.32)], "accent", "band", rounds=0
        )
    elif look["trim"] == "bobble":
        s.panel(ellipse(0.0, top - 0.12, 0.22, 0.22), "accent", "bobble", rounds=0)


def draw_scarf(s: Sketch, look: dict[str, str]) -> None:
    """Two ends hanging down, crossed or knotted; fringes and a border at the ends."""
    end = {"long": 1.0, "short": 0.4}[look["length"]]
    s.panel(symmetric([(0.0, -1.1), (0.5, -0.95), (0.62, -0.6), (0.3, -0.25)]), rounds=2)
    s.panel(
        symmetric([(0.0, -0.94), (0.26, -0.84), (0.32, -0.66), (0.12, -0.5)]), "inside", rounds=2
    )
    for x1, x2, below in ((-0.58, -0.02, 0.0), (0.05, 0.58, 0.12)):
        bottom = end + below
        s.panel([(-0.2, -0.55), (0.2, -0.55), (x2, bottom), (x1, bottom)], rounds=0)
        if look["border"] == "yes":
            s.panel(rectangle(x1, bottom - 0.22, x2, bottom), "accent", "border", rounds=0)
        if look["fringes"] == "yes":
            for step in range(8):
                x = x1 + 0.03 + step * (x2 - x1 - 0.06) / 7
                s.line([(x, bottom), (x, bottom + 0.2)], "accent", 0.035)
            s.name("fringes", rectangle(x1, bottom, x2, bottom + 0.2))
    if look["knot"] == "yes":
        s.panel(ellipse(0.0, -0.42, 0.26, 0.2), "accent", "knot", rounds=0)


def _pair(s: Sketch, draw, look: dict[str, str]) -> None:
    """Two shoes, the far one a little higher up and to the left."""
    for x, y in ((-0.14, -0.22), (0.12, 0.18)):
        draw(s.moved(x, y, 0.84), look)
    s.moved(0, 0, 1)


def _draw_boot(s: Sketch, look: dict[str, str]) -> None:
    top = {"tall": -1.25, "short": -0.35}[look["shaft"]]
    heel = {"high": 0.42, "flat": 0.12}[look["heel"]]
    s.panel(rectangle(-0.58, 0.74, -0.24, 0.8 + heel), "accent", "heel", rounds=0)
    s.panel(
        [(-0.6, 0.72), (-0.3, 0.72), (0.1, 0.8), (0.9, 0.8), (0.9, 0.9), (0.1, 0.9), (-0.6, 0.84)],
        "sole",
        rounds=0,
    )
    s.panel(
        [
            (-0.55, top),
            (0.1, top),
            (0.12, 0.1),
            (0.45, 0.34),
            (0.86, 0.5),
            (0.9, 0.8),
            (0.1, 0.8),
            (-0.6, 0.74),
        ]
    )
    s.panel(rectangle(-0.55, top, 0.1, top + 0.14), "accent", rounds=0)
    if look["closure"] == "laces":
        for step in range(4):
            y = top + 0.25 + step * (0.1 - top) / 4
            s.line([(-0.12, y), (0.12, y + 0.09)], "accent", 0.06)
        s.name("laces", rectangle(-0.15, top + 0.22, 0.15, top + 0.37 + 0.75 * (0.1 - top)))
    elif look["closure"] == "zip":
        s.line([(-0.3, top + 0.18), (-0.3, 0.6)], "seam", 0.1)
        s.line([(-0.3, top + 0.18), (-0.3, 0.6)], "metal", 0.06, "zip")
    else:
        s.panel(rectangle(-0.58, 0.16, 0.2, 0.32), "accent", "buckle", rounds=0)
        s.panel(rectangle(-0.34, 0.12, -0.14, 0.36), "metal", rounds=0)


def draw_boots(s: Sketch, look: dict[str, str]) -> None:
    """A pair of boots."""
    _pair(s, _draw_boot, look)


def _draw_sneaker(s: Sketch, look: dict[str, str]) -> None:
    ankle = {"high": -0.62, "low": -0.12}[look["ankle"]]
    depth = {"thick": 0.3, "thin": 0.1}[look["sole"]]
    s.panel([(-0.85, 0.5), (0.95, 0.55), (0.96, 0.6 + depth), (-0.88, 0.6 + depth)], "sole", "sole")
    s.panel(
        [
            (-0.8, ankle),
            (-0.2, ankle),
            (0.0, 0.0),
            (0.5, 0.22),
            (0.88, 0.32),
            (0.95, 0.6),
            (-0.85, 0.6),
        ]
    )
    s.panel([(0.55, 0.24), (0.86, 0.31), (0.94, 0.6), (0.5, 0.6)], "accent")
    if look["side"] == "stripe":
        s.panel(
            [(-0.5, 0.52), (-0.36, 0.52), (0.06, 0.16), (-0.06, 0.08)], "accent", "flash", rounds=0
        )
    elif look["side"] == "star":
        s.panel(ellipse(-0.42, 0.28, 0.16, 0.16), "accent", "badge", rounds=0)
    if look["closure"] == "laces":
        for step in range(3):
            x, y = -0.1 + 0.16 * step, ankle / 4 + 0.08 * step
            s.line([(x - 0.1, y + 0.16), (x + 0.1, y)], "accent", 0.07)
        s.name("laces", rectangle(-0.24, ankle / 4 - 0.04, 0.36, ankle / 4 + 0.36))
    else:
        for x in (-0.1, 0.16):
            y = ankle / 4 + 0.3 * (x + 0.1)
            s.panel(
                [(x - 0.16, y + 0.26), (x + 0.08, y - 0.06), (x + 0.2, y), (x, y + 0.32)],
                "accent",
                "straps",
                rounds=0,
            )


def draw_sneakers(s: Sketch, look: dict[str, str]) -> None:
    """A pair of sneakers."""
    _pair(s, _draw_sneaker, look)
