"""The sub-categories of the sample catalogue, their attributes, and how texts put each attribute
into words.

A wording names the thing that the drawing also names ("short sleeves" and the part "sleeves"), so
that a word of a text has a place in the photo. What is not there is said too ("no pocket"): every
attribute is both visible and told, hence two products with different attributes have different
texts.
"""

import dataclasses
from collections.abc import Callable

from data_prep.sample import accessory_shapes as accessories
from data_prep.sample import garment_shapes as garments
from data_prep.sample.garment_drawing import Sketch

Wordings = dict[str, tuple[str, ...]]  # option -> its wordings


@dataclasses.dataclass(frozen=True)
class Kind:
    """A sub-category.

    draw: draws it for a look (attribute -> option).
    attributes: attribute -> option -> wordings.
    plural: whether texts say "they have".
    """

    category: str
    name: str
    draw: Callable[[Sketch, dict[str, str]], None]
    attributes: dict[str, Wordings]
    plural: bool = False

    @property
    def word(self) -> str:
        """What the texts call it inside a sentence."""
        return self.name if self.name == "T-shirt" else self.name.lower()


SLEEVES = {
    "short": ("short sleeves",),
    "long": ("long sleeves", "full-length sleeves"),
    "no": ("no sleeves",),
}
NECKLINE = {
    "round": ("a round neckline",),
    "pointed": ("a V-shaped neckline", "a pointed neckline"),
}
BELT = {"yes": ("a belt", "a buckled belt"), "no": ("no belt",)}
POCKET = {"yes": ("a chest pocket", "a patch pocket"), "no": ("no pocket",)}
SIDE_POCKETS = {
    "slanted": ("slanted pockets",),
    "square": ("square pockets", "patch pockets"),
    "no": ("no pockets",),
}
LEGS = {
    "wide": ("wide legs",),
    "straight": ("straight legs",),
    "narrow": ("narrow legs", "slim legs"),
}
WAIST = {
    "belt": ("a belt", "a buckled belt"),
    "drawstring": ("a drawstring",),
    "plain": ("a plain waistband",),
}
LENGTH = {"short": ("a short length", "a short cut"), "long": ("a long length", "a long cut")}
CROPPED = {
    "cropped": ("a cropped length", "a cropped cut"),
    "long": ("a long length", "a long cut"),
}
LACES = {"laces": ("laces",)}

TOPS = (
    Kind(
        "Tops",
        "T-shirt",
        garments.draw_t_shirt,
        {"sleeves": SLEEVES, "neckline": NECKLINE, "pocket": POCKET, "length": CROPPED},
    ),
    Kind(
        "Tops",
        "Shirt",
        garments.draw_shirt,
        {
            "sleeves": {option: SLEEVES[option] for option in ("short", "long")},
            "collar": {
                "pointed": ("a pointed collar", "a turn-down collar"),
                "band": ("a stand-up collar",),
            },
            "pocket": {
                "no": ("no pockets",),
                "one": ("one chest pocket",),
                "two": ("two chest pockets",),
            },
        },
    ),
    Kind(
        "Tops",
        "Sweater",
        garments.draw_sweater,
        {
            "sleeves": {option: SLEEVES[option] for option in ("short", "long")},
            "neckline": {**NECKLINE, "high": ("a high collar", "a roll collar")},
            "hem": {"ribbed": ("a ribbed hem",), "jagged": ("a jagged hem", "a zigzag hem")},
        },
    ),
    Kind(
        "Tops",
        "Hoodie",
        garments.draw_hoodie,
        {
            "closure": {
                "zip": ("a hood and a zip",),
                "buttons": ("a hood and buttons",),
                "no": ("a closed front",),
            },
            "pocket": {"yes": ("a front pocket", "a kangaroo pocket"), "no": ("no pocket",)},
            "drawstrings": {
                "yes": ("drawstrings", "hanging drawstrings"),
                "no": ("no drawstrings",),
            },
        },
    ),
)

BOTTOMS = (
    Kind(
        "Bottoms",
        "Trousers",
        garments.draw_trousers,
        {"legs": LEGS, "waist": WAIST, "pocket": SIDE_POCKETS},
        plural=True,
    ),
    Kind(
        "Bottoms",
        "Shorts",
        garments.draw_shorts,
        {"length": LENGTH, "legs": LEGS, "waist": WAIST, "pocket": SIDE_POCKETS},
        plural=True,
    ),
    Kind(
        "Bottoms",
        "Skirt",
        garments.draw_skirt,
        {
            "length": LENGTH,
            "cut": {
                "straight": ("a straight hem",),
                "flared": ("a flared hem", "a wide swinging hem"),
            },
            "front": {
                "pleats": ("pleats",),
                "buttons": ("a row of buttons",),
                "plain": ("a smooth front",),
            },
            "waist": WAIST,
        },
    ),
    Kind(
        "Bottoms",
        "Leggings",
        garments.draw_leggings,
        {
            "length": CROPPED,
            "side": {
                "stripes": ("bands along the sides",),
                "knees": ("knee patches",),
                "plain": ("smooth legs",),
            },
            "waistband": {
                "wide": ("a wide waistband", "a high waistband"),
                "narrow": ("a narrow waistband",),
            },
        },
        plural=True,
    ),
)

FULL_BODY = (
    Kind(
        "Full body",
        "Dress",
        garments.draw_dress,
        {"sleeves": SLEEVES, "neckline": NECKLINE, "length": LENGTH, "belt": BELT},
    ),
    Kind(
        "Full body",
        "Jumpsuit",
        garments.draw_jumpsuit,
        {
            "sleeves": SLEEVES,
            "legs": {option: LEGS[option] for option in ("wide", "narrow")},
            "closure": {
                "zip": ("a zip", "a metal zip"),
                "buttons": ("buttons", "a row of buttons"),
            },
            "belt": BELT,
        },
    ),
    Kind(
        "Full body",
        "Coat",
        garments.draw_coat,
        {
            "length": LENGTH,
            "collar": {"wide": ("wide lapels",), "high": ("a high collar", "a stand-up collar")},
            "buttons": {"one": ("one row of buttons",), "two": ("two rows of buttons",)},
            "pocket": {"flap": ("flap pockets",), "no": ("no pockets",)},
        },
    ),
)

ACCESSORIES = (
    Kind(
        "Accessories",
        "Bag",
        accessories.draw_bag,
        {
            "handle": {
                "strap": ("a long strap", "a shoulder strap"),
                "handle": ("a short handle", "a sturdy handle"),
            },
            "body": {"rounded": ("a rounded body",), "square": ("a square body", "a boxy body")},
            "closure": {"zip": ("a zip", "a metal zip"), "flap": ("a flap",)},
            "pocket": {"yes": ("a front pocket", "an outer pocket"), "no": ("no pocket",)},
        },
    ),
    Kind(
        "Accessories",
        "Hat",
        accessories.draw_hat,
        {
            "brim": {
                "wide": ("a wide brim",),
                "narrow": ("a narrow brim",),
                "peak": ("a peak", "a curved peak"),
            },
            "crown": {
                "high": ("a high crown", "a tall crown"),
                "low": ("a low crown", "a flat crown"),
            },
            "trim": {
                "band": ("a band",),
                "bobble": ("a bobble", "a round bobble"),
                "plain": ("no band",),
            },
        },
    ),
    Kind(
        "Accessories",
        "Scarf",
        accessories.draw_scarf,
        {
            "length": LENGTH,
            "fringes": {"yes": ("fringes", "knotted fringes"), "no": ("no fringes",)},
            "border": {"yes": ("a border", "a solid border"), "no": ("no border",)},
            "knot": {"yes": ("a knot", "a tied knot"), "no": ("no knot",)},
        },
    ),
    Kind(
        "Accessories",
        "Boots",
        accessories.draw_boots,
        {
            "shaft": {
                "tall": ("a tall shaft", "a knee-high shaft"),
                "short": ("a short shaft", "an ankle-high shaft"),
            },
            "heel": {"high": ("a high heel",), "flat": ("a flat heel", "a low heel")},
            "closure": {**LACES, "zip": ("a side zip",), "buckle": ("a buckle", "a buckled strap")},
        },
        plural=True,
    ),
    Kind(
        "Accessories",
        "Sneakers",
        accessories.draw_sneakers,
        {
            "ankle": {"high": ("a high-top ankle",), "low": ("a low-cut ankle",)},
            "sole": {"thick": ("a thick sole", "a chunky sole"), "thin": ("a thin sole",)},
            "side": {
                "stripe": ("a side flash",),
                "star": ("a side badge", "a round badge"),
                "plain": ("smooth sides",),
            },
            "closure": {**LACES, "straps": ("straps", "two straps")},
        },
        plural=True,
    ),
)

KINDS = TOPS + BOTTOMS + FULL_BODY + ACCESSORIES
