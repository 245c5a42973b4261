"""Word-region pairs to (token, patch) pairs (Kaleido-BERT, section 3.3, "AAG"). The paper gives no
algorithm; docs/alignments.md writes this one down.

A region is a heat map on a raster of `RASTER` x `RASTER` cells over the crop, which the grids of
levels 3, 4 and 5 divide evenly.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from kaleido_tf import patches
from kaleido_tf.records.views import MIRRORED
from kaleido_tf.settings import check_settings, setting
from kaleido_tf.words import Word, stem

RASTER = 60
ALIGNED_LEVELS = ("camouflage", "grey_to_color", "blank_to_color")
"""Levels 3, 4 and 5: the ones that masking works on (section 3.4)."""


@dataclasses.dataclass(frozen=True)
class AlignmentSettings:
    """How pairs are made. Raises: InputError for a value out of range."""

    mass: float = setting(
        0.2,
        "mass",
        "Share of a heat map's mass that its salient region holds.",
        above=0.0,
        largest=1.0,
    )
    overlap: float = setting(
        0.7,
        "overlap",
        "Least share of the smaller of region and patch that lies in the other.",
        lowest=0.0,
        largest=1.0,
    )
    patches_a_level: int = setting(
        1, "patches_a_level", "Most patches of a level that a word is paired with.", lowest=1
    )

    def __post_init__(self):
        check_settings(self)


@dataclasses.dataclass(frozen=True)
class Region:
    """Where a word was seen: the word of the caption, as the tokenizer normalises it; its heat map
    [RASTER, RASTER] float; how sure that is; and, where it is known which word of the text is
    meant, the first of its pieces.
    """

    word: str
    heat: np.ndarray
    score: float = 1.0
    start: int | None = None

    def in_view(self, view: int) -> "Region":
        """The same on a view (of `records.views.VIEWS`) of the photo that it was seen on."""
        return dataclasses.replace(self, heat=self.heat[:, ::-1]) if view == MIRRORED else self


@dataclasses.dataclass(frozen=True)
class Alignments:
    """Pairs [A]: word piece of the text, patch among the 55, and score: the overlap of region and
    patch, 0 to 1, times the region's own.

    `shared`: how many regions found their word in the text, with a patch that fits or without; not
      known of pairs read from records.
    """

    tokens: np.ndarray
    patches: np.ndarray
    scores: np.ndarray
    shared: int = 0


def align(
    words: Sequence[Word], regions: Sequence[Region], settings: AlignmentSettings
) -> Alignments:
    """The pairs of one product.

    Args: words: of the product's text, in order. regions: of the words that were generated (or
      named), in order.
    A region goes to the word at its `start`, else to the first word of its stem that no region has
    yet; every word piece of that word is paired with the patches that the region covers best. A
    region of several words ("t-shirt", which a text's tokens part) goes to each of them.
    """
    at = {word.start: word for word in words}
    waiting: dict[str, list[Word]] = {}
    for word in words:
        if word.tells_something:
            waiting.setdefault(word.stem, []).append(word)
    tokens, chosen, scores, shared = [], [], [], 0
    for region in regions:
        if region.start is None:
            candidates = [waiting.get(stem(part)) for part in re.findall(r"[^\W_]+", region.word)]
            matched = [same.pop(0) for same in candidates if same]
        else:
            matched = [at[region.start]] if region.start in at else []
        shared += bool(matched)
        for patch, score in covered_patches(region.heat, settings) if matched else ():
            for token in (token for word in matched for token in range(word.start, word.end)):
                tokens.append(token)
                chosen.append(patch)
                scores.append(score * region.score)
    return Alignments(
        np.array(tokens, np.int64), np.array(chosen, np.int64), np.array(scores, np.float32), shared
    )


def covered_patches(heat: np.ndarray, settings: AlignmentSettings) -> list[tuple[int, float]]:
    """(patch, overlap) of the best patches of each level, best first within a level.

    The overlap is the share of the smaller of the two that lies in the other: a large region
    overlaps a patch inside it, and a small one the patch that it lies in. Among patches that
    overlap alike, the one with more of the heat comes first; among those that hold as much of it,
    as they do inside a box, the one nearest to its centre.
    """
    region = salient_region(heat, settings.mass)
    if not region.any():
        return []
    best = []
    for level in ALIGNED_LEVELS:
        common, mass = (
            _by_patch(region.astype(np.float64), level),
            _by_patch(heat / heat.sum(), level),
        )
        covered = common / min(region.sum(), RASTER * RASTER / len(common))
        order = np.lexsort([_distances(heat, level), -mass.round(6), -covered.round(6)])[
            : settings.patches_a_level
        ]
        best += [
            (patches.LEVEL_STARTS[level] + int(place), float(covered[place]))
            for place in order
            if covered[place] >= settings.overlap
        ]
    return best


def salient_region(heat: np.ndarray, mass: float) -> np.ndarray:
    """The fewest cells that hold `mass` of a heat map's sum, and those as hot as the coolest of
    them: [RASTER, RASTER] bool.

    A box, even inside, so stays whole: a part of it would be the upper one, for no other reason
      than the order of the cells.
    """
    falling = -np.sort(-heat.reshape(-1).astype(np.float64))
    needed = min(int(np.searchsorted(np.cumsum(falling), mass * falling.sum())), len(falling) - 1)
    return (heat > 0) & (heat >= falling[needed] * (1 - 1e-6))


def _by_patch(cells: np.ndarray, level: str) -> np.ndarray:
    """The sums of a raster over each patch of a level, row by row."""
    side = patches.LEVELS[patches.LEVEL_NAMES.index(level)]
    return cells.reshape(side, RASTER // side, side, RASTER // side).sum(axis=(1, 3)).reshape(-1)


def _distances(heat: np.ndarray, level: str) -> np.ndarray:
    """How far the middle of each patch of a level lies from the centre of the heat, in cells,
    rounded so that equals are equal.
    """
    side = patches.LEVELS[patches.LEVEL_NAMES.index(level)]
    middles, cells = (np.arange(side) + 0.5) * RASTER / side, np.arange(RASTER) + 0.5
    down, across = (float((heat.sum(axis=axis) * cells).sum() / heat.sum()) for axis in (1, 0))
    return np.hypot(middles[:, None] - down, middles[None] - across).reshape(-1).round(3)


def heat_of_box(box: Sequence[float], width: int, height: int) -> np.ndarray:
    """A box (x1, y1, x2, y2 in pixels of a crop of that size) as a heat map [RASTER, RASTER]: the
    share of each cell inside.
    """
    x1, y1, x2, y2 = box
    rows = _covered(y1 / height, y2 / height)
    columns = _covered(x1 / width, x2 / width)
    return np.outer(rows, columns)


def _covered(start: float, end: float) -> np.ndarray:
    """[RASTER] share of each cell of the unit interval that `start` to `end` covers."""
    edges = np.arange(RASTER + 1) / RASTER
    return np.clip(np.minimum(end, edges[1:]) - np.maximum(start, edges[:-1]), 0, None) * RASTER
