"""Where products of a kind show a thing, learnt from photos and texts alone: a forward model.

The options of the things that texts name ("short sleeves", "no belt") predict what every cell of a
photo shows, for each kind of product (sub-category) by one ridge regression. The map of a thing is
the variance that its own options explain at a cell, as a share of what nothing explains there: the
lower arm changes where sleeves are short or long, the collar does not. A thing of which all texts
of a kind say the same has no map, nor has one whose map points nowhere, or elsewhere when it is
learnt from other photos.

It asks the opposite of `word_evidence`, what a cell says for a word: words that come together, or
that tell kinds apart, lead that astray.

N = photos, C = cells a side, F = floats of a cell, Z = options of things.
"""

import collections
import dataclasses
import functools
import os
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import tf_keras

from data_prep.alignment.phrases import ABSENT
from kaleido_tf.errors import InputError
from kaleido_tf.files.network_file import network_digest, read_network, write_network
from kaleido_tf.settings import check_settings, setting

WEIGHTS_NAME = "phrase_maps.safetensors"
KIND = "phrase maps of kaleido_tf"

_RIDGE = 10.0  # photos
_FLOOR = 1.0  # medians of the unexplained variance, added to it: even cells prove nothing
_SMOOTHED = 5  # cells a side
_PHOTOS = 256  # at once in memory
_MOST_OPTIONS = 2000  # of a kind, the things with most texts first
_HOTTEST = 0.05  # of a map's cells
_OTHER = "(other)"


@dataclasses.dataclass(frozen=True)
class PhraseSettings:
    """How maps are learnt. Raises: InputError for a value out of range."""

    fewest: int = setting(
        5, "fewest", "Texts of a sub-category that must say an option of a thing.", lowest=1
    )
    agreement: float = setting(
        0.5,
        "agreement",
        "Least correlation of a thing's maps from two halves of the photos; what a photo does not"
        " show has none. Higher: fewer pairs, more often right.",
        lowest=0.0,
        largest=1.0,
    )
    concentration: float = setting(
        0.2,
        "concentration",
        "Least share of a thing's map that its hottest twentieth holds; a map below points nowhere."
        " Higher: fewer pairs, more often right.",
        lowest=0.0,
        largest=1.0,
    )

    def __post_init__(self):
        check_settings(self)


@dataclasses.dataclass(frozen=True)
class MapsSettings:
    """What maps are of. `places`: (sub-category, stem of the thing) of each map. `foreground`: how
    the crops were found. `cells`: C.
    """

    places: tuple[tuple[str, str], ...]
    foreground: str
    cells: int

    def __post_init__(self):
        # JSON has lists
        object.__setattr__(self, "places", tuple((kind, thing) for kind, thing in self.places))
        if self.cells < 1:
            raise InputError(f"`cells` must be at least 1. Received: {self.cells}")


@dataclasses.dataclass(frozen=True)
class PhraseMaps:
    """Maps to be used. `of`: (sub-category, stem of the thing) -> its map [C, C] float32, 0 or
    more, and its concentration. `digest`: sha256 over settings and maps.
    """

    settings: MapsSettings
    of: dict[tuple[str, str], tuple[np.ndarray, float]]
    digest: str


def fit(
    cells: Callable[[Sequence[int]], np.ndarray],
    options: Sequence[dict[str, str]],
    settings: PhraseSettings,
) -> dict[str, tuple[np.ndarray, float]]:
    """Things -> (map, concentration) of one kind of product.

    Args: cells: numbers of photos [n] -> [n, C, C, F]. options: of each photo, as `options_of`.
    """
    design, columns = _design(options, settings.fewest)
    if not columns:
        return {}
    shape = cells([0]).shape[1:]
    order = np.random.default_rng(0).permutation(len(options))
    quarters = [_sums(cells, design, np.sort(order[part::4])) for part in range(4)]
    ratios = _explained_ratios(functools.reduce(_Sums.__add__, quarters), columns, shape)
    halves = list(_halves(quarters, columns, shape))
    maps = {}
    for thing, ratio in ratios.items():
        heat = np.maximum(ratio - np.median(ratio), 0)  # a part covers less than half of a crop
        share = concentration(heat)
        agreement = np.mean([_correlation(one[thing], other[thing]) for one, other in halves])
        if heat.any() and share >= settings.concentration and agreement >= settings.agreement:
            maps[thing] = heat, share
    return maps


def _design(options: Sequence[dict[str, str]], fewest: int):
    """(design [N, Z] bool, thing -> its columns) of what is said differently of the photos."""
    counts = collections.Counter(thing for said in options for thing in said)
    design, columns = [], {}
    for thing, times in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if times < fewest or len(design) >= _MOST_OPTIONS:
            break
        said = [photo.get(thing, ABSENT) for photo in options]
        often = {option for option, n in collections.Counter(said).items() if n >= fewest}
        said = [option if option in often else _OTHER for option in said]
        known = sorted(set(said))
        if len(known) > 1 and sorted(map(said.count, known))[-2] >= fewest:
            columns[thing] = list(range(len(design), len(design) + len(known)))
            design += [np.array([option == one for option in said]) for one in known]
    return np.array(design).T, columns


@dataclasses.dataclass(frozen=True)
class _Sums:
    """What a regression needs of some photos, D their designs [N, Z] and X their cells [N, V], not
    centred: all that is kept of them.
    """

    count: float
    design: np.ndarray  # of D, [Z]
    cells: np.ndarray  # of X, [V]
    squares: np.ndarray  # of X * X, [V]
    gram: np.ndarray  # D' D, [Z, Z]
    products: np.ndarray  # D' X, [Z, V]

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(*(a + b for a, b in zip(vars(self).values(), vars(other).values())))

    def centred(self) -> "_Sums":
        """The same of D and X less their means."""
        count = max(self.count, 1)
        return _Sums(
            self.count,
            self.design - self.design,
            self.cells - self.cells,
            self.squares - self.cells**2 / count,
            self.gram - np.outer(self.design, self.design) / count,
            self.products - np.outer(self.design, self.cells) / count,
        )


def _sums(cells, design: np.ndarray, numbers: np.ndarray) -> _Sums:
    """Of the photos `numbers`, some at a time."""
    options, floats = design.shape[1], int(np.prod(cells([0]).shape[1:]))
    sizes = (options, floats, floats, (options, options), (options, floats))
    total = _Sums(0.0, *map(np.zeros, sizes))
    for start in range(0, len(numbers), _PHOTOS):
        batch = numbers[start : start + _PHOTOS]
        flat = cells(batch).reshape(len(batch), -1).astype(np.float64)
        said = design[batch].astype(np.float64)
        total += _Sums(
            len(batch),
            said.sum(axis=0),
            flat.sum(axis=0),
            (flat**2).sum(axis=0),
            said.T @ said,
            said.T @ flat,
        )
    return total


def _explained_ratios(sums: _Sums, columns: dict, shape: Sequence[int]) -> dict[str, np.ndarray]:
    """Thing -> what its options explain at each cell, over what nothing explains, smoothed [C, C].

    Args: columns: of each thing in the design. shape: C, C, F.
    """
    sums = sums.centred()
    inverse = np.linalg.inv(sums.gram + _RIDGE * np.eye(len(sums.gram)))
    effects = inverse @ sums.products
    left = sums.squares - (effects * (2 * sums.products - sums.gram @ effects)).sum(axis=0)
    freedom = max(sums.count - 1 - np.trace(inverse @ sums.gram), 3.0)
    noise = (np.maximum(left, 0) / freedom).reshape(-1, shape[-1])
    noise += _FLOOR * np.median(noise, axis=0) + 1e-6
    ratios = {}
    for thing, own in columns.items():
        explained = (effects[own] * (sums.gram[np.ix_(own, own)] @ effects[own])).sum(axis=0)
        ratio = (explained.reshape(noise.shape) / noise).sum(axis=1) / max(sums.count, 1)
        smoothed = (_SMOOTHED, _SMOOTHED)
        ratios[thing] = cv2.blur(ratio.reshape(shape[:2]).astype(np.float32), smoothed)
    return ratios


def _halves(quarters: list[_Sums], columns: dict, shape: Sequence[int]):
    """Yields the ratios of two halves of the photos, of the three ways to pair the quarters."""
    for mate in (1, 2, 3):
        others = [quarters[n] for n in (1, 2, 3) if n != mate]
        yield tuple(
            _explained_ratios(one + other, columns, shape)
            for one, other in ((quarters[0], quarters[mate]), others)
        )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of two maps; 0 where one of them is even."""
    if min(one.std(), other.std()) <= 1e-9:
        return 0.0
    return float(np.corrcoef(one.reshape(-1), other.reshape(-1))[0, 1])


def concentration(heat: np.ndarray) -> float:
    """The share of a map that its hottest twentieth holds, 0 to 1; 0 of an empty one."""
    falling = -np.sort(-heat.reshape(-1).astype(np.float64))
    hottest = max(1, round(_HOTTEST * len(falling)))
    return float(falling[:hottest].sum() / falling.sum()) if falling[0] > 0 else 0.0


class _Network(tf_keras.Model):
    """The maps as weights, for a file."""

    def __init__(self, settings: MapsSettings):
        super().__init__(name="phrase_maps")
        shape = [len(settings.places), settings.cells, settings.cells]
        self.heat = self.add_weight("heat", shape, trainable=False)
        self.shares = self.add_weight("concentration", shape[:1], trainable=False)


def save_maps(
    path: str | os.PathLike,
    maps: dict[tuple[str, str], tuple[np.ndarray, float]],
    foreground: str,
    cells: int,
) -> PhraseMaps:
    """Writes one safetensors file (see `network_file`)."""
    settings = MapsSettings(tuple(maps), foreground, cells)
    network = _Network(settings)
    if maps:
        network.heat.assign(np.stack([heat for heat, _ in maps.values()]))
        network.shares.assign([share for _, share in maps.values()])
    write_network(path, KIND, settings, network)
    return _used(settings, network)


def load_maps(path: str | os.PathLike) -> PhraseMaps:
    """Reads what `save_maps` wrote. Raises: InputError as `network_file.read_network`."""
    what = "phrase maps (a file that data_prep.train_word_evidence wrote)"
    return _used(*read_network(path, KIND, MapsSettings, _Network, what))


def _used(settings: MapsSettings, network: _Network) -> PhraseMaps:
    arrays = zip(network.heat.numpy(), network.shares.numpy().tolist(), strict=True)
    of = dict(zip(settings.places, arrays, strict=True))
    return PhraseMaps(settings, of, network_digest(settings, network))
