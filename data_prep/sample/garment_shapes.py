"""How the garments of the sample catalogue are drawn (coordinates as in `garment_drawing`).

Every `draw_…` takes a sketch and a look (attribute -> option); `product_kinds` lists the options.
"""

from data_prep.sample.garment_drawing import Sketch, ellipse, mirrored, rectangle, symmetric

Look = dict[str, str]


def draw_sleeves(s: Sketch, length: str) -> None:
    """Both sleeves with cuffs; nothing for "no"."""
    if length == "no":
        return
    shoulder, armpit = (0.36, -0.95), (0.42, -0.42)
    outer, inner = {"short": ((0.9, -0.46), (0.7, -0.2)), "long": ((0.97, 0.45), (0.72, 0.55))}[
        length
    ]
    cuff = {"short": 0.8, "long": 0.9}[length]
    above_outer, above_inner = _between(shoulder, outer, cuff), _between(armpit, inner, cuff)
    for turn in (list, mirrored):
        s.panel(turn([shoulder, outer, inner, armpit]), word="sleeves", rounds=0)
        s.panel(turn([above_outer, outer, inner, above_inner]), "accent", rounds=0)


def _between(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def draw_body(s: Sketch, hem: float, hem_width: float, waist: float = 0.43) -> None:
    """From the shoulders to `hem` (y); `waist` is half the width at y = 0.05."""
    s.panel(
        symmetric([(0.17, -1.0), (0.42, -0.92), (0.43, -0.45), (waist, 0.05), (hem_width, hem)]),
        rounds=0,
    )


def draw_neckline(s: Sketch, shape: str) -> None:
    """round, pointed, or high."""
    if shape == "round":
        s.panel(ellipse(0, -0.96, 0.21, 0.17), "accent", "neckline", rounds=0)
        s.panel(ellipse(0, -0.99, 0.16, 0.12), "inside", rounds=0)
    elif shape == "pointed":
        s.panel([(-0.22, -1.02), (0.22, -1.02), (0.0, -0.5)], "accent", "neckline", rounds=0)
        s.panel([(-0.15, -1.03), (0.15, -1.03), (0.0, -0.62)], "inside", rounds=0)
    else:
        s.panel(rectangle(-0.2, -1.24, 0.2, -0.92), "accent", "collar")
        for y in (-1.15, -1.05):
            s.line([(-0.19, y), (0.19, y)])


def draw_buttons(
    s: Sketch, top: float, bottom: float, columns: tuple[float, ...] = (0.0,), radius: float = 0.04
):
    """Columns of five buttons from `top` to `bottom` (y)."""
    if columns == (0.0,):
        s.line([(0.07, top - 0.06), (0.07, bottom + 0.06)])
    for x in columns:
        for step in range(5):
            s.panel(ellipse(x, top + step * (bottom - top) / 4, radius, radius), "accent", rounds=0)
        s.name("buttons", rectangle(x - radius, top - radius, x + radius, bottom + radius))


def draw_zip(s: Sketch, top: float, bottom: float, x: float = 0.0) -> None:
    """A zip with its slider, from `top` to `bottom` (y)."""
    s.line([(x, top), (x, bottom)], "seam", 0.07)
    s.line([(x, top), (x, bottom)], "metal", 0.04, "zip")
    s.panel(rectangle(x - 0.035, top + 0.02, x + 0.035, top + 0.14), "metal", rounds=0)


def draw_pocket(
    s: Sketch, x: float, y: float, side: float, word: str = "pocket", paint: str = "accent"
) -> None:
    """A patch pocket with its upper left corner at (x, y)."""
    tip = y + 1.1 * side
    s.panel(
        [(x, y), (x + side, y), (x + side, tip - 0.05), (x + side / 2, tip), (x, tip - 0.05)],
        paint,
        word,
        rounds=0,
    )
    s.line([(x, y + 0.05), (x + side, y + 0.05)])


def draw_belt(s: Sketch, y: float, half_width: float) -> None:
    """A belt with a buckle, its middle at height `y`."""
    s.panel(rectangle(-half_width, y - 0.055, half_width, y + 0.055), "accent", "belt", rounds=0)
    s.panel(rectangle(-0.075, y - 0.075, 0.075, y + 0.075), "metal", rounds=0)
    s.panel(rectangle(-0.04, y - 0.04, 0.04, y + 0.04), "accent", rounds=0, edge=False)


def draw_t_shirt(s: Sketch, look: Look) -> None:
    """A T-shirt: sleeves, body, hem, neckline, and a pocket if the look has one."""
    draw_sleeves(s, look["sleeves"])
    hem = {"cropped": 0.35, "long": 1.05}[look["length"]]
    draw_body(s, hem, 0.45)
    s.panel(rectangle(-0.445, hem - 0.08, 0.445, hem), "accent", "hem", rounds=0)
    draw_neckline(s, look["neckline"])
    if look["pocket"] == "yes":
        draw_pocket(s, 0.08, -0.42, 0.24)


def draw_shirt(s: Sketch, look: Look) -> None:
    """A shirt: sleeves, body, buttons and collar."""
    draw_sleeves(s, look["sleeves"])
    s.panel(
        symmetric(
            [(0.17, -1.0), (0.42, -0.92), (0.43, -0.45), (0.42, 0.5), (0.4, 0.72), (0.15, 0.86)]
        )
    )
    draw_buttons(s, -0.62, 0.6)
    if look["collar"] == "pointed":
        s.panel([(-0.17, -1.08), (0.17, -1.08), (0.0, -0.8)], "inside", rounds=0)
        for turn in (list, mirrored):
            s.panel(
                turn([(0.17, -1.1), (0.34, -0.86), (0.16, -0.66), (0.0, -0.84)]),
                "accent",
                "collar",
                rounds=0,
            )
    else:
        s.panel(rectangle(-0.18, -1.12, 0.18, -0.93), "accent", "collar")
    word = {"no": "", "one": "pocket", "two": "pockets"}[look["pocket"]]
    for x in {"no": (), "one": (0.12,), "two": (0.12, -0.36)}[look["pocket"]]:
        draw_pocket(s, x, -0.4, 0.24, word, "main")


def draw_sweater(s: Sketch, look: Look) -> None:
    """A sweater."""
    draw_sleeves(s, look["sleeves"])
    draw_body(s, 0.75, 0.46)
    draw_neckline(s, look["neckline"])
    if look["hem"] == "ribbed":
        s.panel(rectangle(-0.46, 0.6, 0.46, 0.85), "accent", "hem", rounds=0)
        for step in range(-5, 6):
            s.line([(0.08 * step, 0.61), (0.08 * step, 0.84)])
    else:
        teeth = [(-0.46 + 0.115 * step, 0.9 if step % 2 else 0.74) for step in range(9)]
        s.panel([(-0.46, 0.68), *teeth, (0.46, 0.68)], "accent", "hem", rounds=0)


def draw_hoodie(s: Sketch, look: Look) -> None:
    """A hoodie."""
    draw_sleeves(s, "long")
    s.panel(
        symmetric([(0.0, -1.32), (0.27, -1.25), (0.36, -0.98), (0.25, -0.8), (0.0, -0.74)]),
        word="hood",
    )
    draw_body(s, 0.78, 0.44)
    s.panel(ellipse(0, -1.03, 0.22, 0.2), "inside", rounds=0)
    s.panel(rectangle(-0.44, 0.68, 0.44, 0.82), "accent", rounds=0)
    if look["pocket"] == "yes":
        s.panel(symmetric([(0.2, 0.1), (0.36, 0.56)]), "accent", "pocket", rounds=0)
    if look["closure"] == "zip":
        draw_zip(s, -0.8, 0.8)
    elif look["closure"] == "buttons":
        draw_buttons(s, -0.65, 0.6, radius=0.05)
    if look["drawstrings"] == "yes":
        for x in (-0.13, 0.13):
            s.line([(x, -0.86), (1.3 * x, -0.36)], "accent", 0.05, "drawstrings")


def draw_legs(s: Sketch, shape: str, end: float, top: float = -1.1) -> None:
    """Two legs from `top` to `end` (y)."""
    inner, outer = {"wide": (0.12, 0.78), "straight": (0.1, 0.54), "narrow": (0.16, 0.4)}[shape]
    share = (end - top) / 2.3
    outer, inner = 0.42 + share * (outer - 0.42), 0.02 + share * (inner - 0.02)
    for turn in (list, mirrored):
        leg = [
            (0.0, top),
            (0.4, top),
            (0.5, top + 0.5),
            (outer, end),
            (inner, end),
            (0.0, top + 0.62),
        ]
        s.panel(turn(leg), word="legs")
        s.panel(turn(rectangle(inner, end - 0.1, outer, end)), "accent", rounds=0)


def draw_waist(s: Sketch, waist: str) -> None:
    """A waistband with a belt, a drawstring, or nothing."""
    s.panel(rectangle(-0.41, -1.18, 0.41, -1.04), "main", "waistband", rounds=0)
    if waist == "belt":
        draw_belt(s, -1.11, 0.42)
    elif waist == "drawstring":
        for x in (-0.12, 0.12):
            s.line([(0.0, -1.1), (x, -1.02), (x, -0.7)], "accent", 0.05, "drawstring")


def draw_trousers(s: Sketch, look: Look) -> None:
    """Trousers."""
    draw_legs(s, look["legs"], 1.25)
    draw_waist(s, look["waist"])
    _draw_side_pockets(s, look["pocket"], -0.95)


def draw_shorts(s: Sketch, look: Look) -> None:
    """Shorts."""
    draw_legs(s, look["legs"], {"short": -0.05, "long": 0.45}[look["length"]])
    draw_waist(s, look["waist"])
    _draw_side_pockets(s, look["pocket"], -0.95)


def _draw_side_pockets(s: Sketch, pocket: str, y: float) -> None:
    if pocket == "slanted":
        for turn in (list, mirrored):
            s.line(turn([(0.24, y), (0.42, y + 0.34)]), "accent", 0.06, "pockets")
    elif pocket == "square":
        for x in (-0.4, 0.14):
            draw_pocket(s, x, y + 0.12, 0.26, "pockets", "accent")


def draw_skirt(s: Sketch, look: Look) -> None:
    """A skirt."""
    hem = {"short": -0.1, "long": 1.2}[look["length"]]
    flare = {"straight": 0.5, "flared": 0.95}[look["cut"]]
    width = 0.42 + (flare - 0.42) * (hem + 1.3) / 2.4
    hip = (0.36 + 0.3 * (width - 0.36), -0.8)
    s.panel(symmetric([(0.36, -1.1), hip, (width, hem)]), rounds=0)
    s.panel(symmetric([_between((width, hem), hip, 0.14), (width, hem)]), "accent", "hem", rounds=0)
    if look["front"] == "pleats":
        for step in (-2, -1, 0, 1, 2):
            s.line([(0.14 * step, -1.05), (0.36 * width * step, hem)], "seam", 0.03)
        s.name("pleats", rectangle(-0.72 * width, -1.05, 0.72 * width, hem))
    elif look["front"] == "buttons":
        draw_buttons(s, -0.9, hem - 0.25, radius=0.05)
    draw_waist(s, look["waist"])


def draw_leggings(s: Sketch, look: Look) -> None:
    """Leggings."""
    draw_legs(s, "narrow", {"cropped": 0.45, "long": 1.28}[look["length"]])
    if look["side"] == "stripes":
        end = {"cropped": 0.32, "long": 1.15}[look["length"]]
        for turn in (list, mirrored):
            s.panel(
                turn([(0.34, -1.0), (0.41, -1.0), (0.4, end), (0.33, end)]),
                "accent",
                "bands",
                rounds=0,
            )
    elif look["side"] == "knees":
        for turn in (list, mirrored):
            s.panel(turn(ellipse(0.27, 0.0, 0.12, 0.2)), "accent", "patches", rounds=0)
    depth = {"wide": 0.36, "narrow": 0.13}[look["waistband"]]
    s.panel(rectangle(-0.42, -1.18, 0.42, -1.18 + depth), "accent", "waistband", rounds=0)


def draw_dress(s: Sketch, look: Look) -> None:
    """A dress."""
    draw_sleeves(s, look["sleeves"])
    hem = {"short": 0.7, "long": 1.3}[look["length"]]
    width = 0.5 + 0.28 * (hem + 0.1)
    waist = (0.33, -0.05)
    s.panel(symmetric([(0.17, -1.0), (0.42, -0.92), (0.42, -0.45), waist, (width, hem)]), rounds=0)
    s.panel(
        symmetric([_between((width, hem), waist, 0.12), (width, hem)]), "accent", "hem", rounds=0
    )
    draw_neckline(s, look["neckline"])
    if look["belt"] == "yes":
        draw_belt(s, -0.06, 0.36)


def draw_jumpsuit(s: Sketch, look: Look) -> None:
    """A jumpsuit."""
    draw_sleeves(s, look["sleeves"])
    draw_body(s, 0.1, 0.37, 0.35)
    s.panel(ellipse(0, -1.0, 0.16, 0.12), "inside", rounds=0)
    draw_legs(s, look["legs"], 1.3, top=0.0)
    if look["closure"] == "zip":
        draw_zip(s, -0.95, 0.0)
    else:
        draw_buttons(s, -0.85, -0.15, radius=0.05)
    if look["belt"] == "yes":
        draw_belt(s, 0.04, 0.4)


def draw_coat(s: Sketch, look: Look) -> None:
    """A coat."""
    draw_sleeves(s, "long")
    hem = {"short": 0.6, "long": 1.28}[look["length"]]
    draw_body(s, hem, 0.58, 0.46)
    s.line([(0.0, -0.6), (0.0, hem)], "seam", 0.025)
    columns = {"one": (0.1,), "two": (-0.14, 0.14)}[look["buttons"]]
    draw_buttons(s, -0.3, 0.48, columns, 0.05)
    if look["collar"] == "wide":
        for turn in (list, mirrored):
            s.panel(
                turn([(0.14, -1.08), (0.4, -0.8), (0.3, -0.55), (0.0, -0.38)]),
                "accent",
                "lapels",
                rounds=0,
            )
    else:
        s.panel(rectangle(-0.24, -1.2, 0.24, -0.88), "accent", "collar")
    if look["pocket"] == "flap":
        for x in (-0.42, 0.2):
            s.panel(rectangle(x, 0.2, x + 0.22, 0.36), "accent", "pockets", rounds=0)
