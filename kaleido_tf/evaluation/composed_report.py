"""Figures of text-guided retrieval: how near queries of a photo and a text come to their targets,
beside what the photo alone, the text alone, both added up and chance find.

R = rows (triplets), Q = rows that ask, I = photos, D = vector size. Figures are fractions, 0 to 1.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from kaleido_tf.data.named_photos import NamedPhotos
from kaleido_tf.data.triplets import Triplet, gallery_only
from kaleido_tf.evaluation.embedding_recall import COMPOSED_RANKS, Vectors, composed_places
from kaleido_tf.evaluation.places import Places
from kaleido_tf.evaluation.verdict import Verdict, compare

RANKS = (1, *COMPOSED_RANKS)
TARGETS, BOTH = "targets", "references_and_targets"
OTHERS = "targets_without_reference"
MAIN = TARGETS
"""The gallery of FashionViL's figures."""
CHANCE = "chance"


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Rows whose targets are searched, group by group.

    `targets`: all rows as they came, those that feed the gallery alone, too (FashionViL's release;
    where these are FashionIQ's whole lists, the original protocol). `references_and_targets`: what
    the rows that ask name, the query's own reference among them (the protocol of VAL, Chen et al.,
    CVPR 2020). `targets_without_reference`: the first, without each query's own reference, which a
    photo alone can but find first.
    """

    rows: Sequence[Triplet]
    photos: NamedPhotos
    without_reference: bool = False

    @functools.cached_property
    def targets(self) -> np.ndarray:
        """[R] int, photos."""
        return self.photos.numbers_of(row.target for row in self.rows)

    @functools.cached_property
    def are_queries(self) -> np.ndarray:
        """[R] bool."""
        return np.array([row.is_query for row in self.rows])

    @functools.cached_property
    def groups(self) -> np.ndarray:
        """[R] str."""
        return np.array([row.group or "all" for row in self.rows])

    @property
    def _references(self) -> np.ndarray:
        """[R] int, photos; -1 of rows that ask nothing, or ask for their own reference."""
        asking = [row.is_query and row.reference != row.target for row in self.rows]
        numbers = self.photos.numbers
        pairs = zip(self.rows, asking)
        return np.array([numbers[row.reference] if asks else -1 for row, asks in pairs])

    @property
    def sizes(self) -> dict[str, int]:
        """Group that is asked for -> different photos in its gallery."""
        asked = sorted(set(self.groups[self.are_queries].tolist()))
        return {name: len(set(self.targets[self.groups == name].tolist())) for name in asked}

    def places(self, queries: np.ndarray, photos: np.ndarray) -> dict[str, Places]:
        """Group -> places of its queries' targets, by vectors [Q, D] and [I, D]."""
        of_rows = np.zeros([len(self.rows), queries.shape[1]], np.float32)
        of_rows[self.are_queries] = queries
        found = composed_places(
            Vectors(of_rows, self.targets),
            Vectors(photos[self.targets], self.targets),
            self.are_queries,
            self.groups,
            self._references if self.without_reference else None,
        )
        return {group: places for group, (_, places) in found.items()}


def galleries_of(triplets: Sequence[Triplet], photos: NamedPhotos) -> dict[str, Gallery]:
    """The galleries of triplets, by name."""
    asking = [triplet for triplet in triplets if triplet.is_query]
    both = list(asking)
    for group in dict.fromkeys(triplet.group for triplet in asking):
        members = [triplet for triplet in asking if triplet.group == group]
        both += gallery_only([triplet.reference for triplet in members], group, members)
    return {
        TARGETS: Gallery(triplets, photos),
        BOTH: Gallery(both, photos),
        OTHERS: Gallery(triplets, photos, without_reference=True),
    }


def figures_of(places: Mapping[str, Places]) -> dict[str, float]:
    """`<group>_r@<k>` for k of `RANKS`, `r@<k>`, the mean over the groups, and `avg`, the release's
    mean of `COMPOSED_RANKS` over all groups.
    """
    figures = {f"{g}_r@{k}": float(p.found(k).mean()) for g, p in places.items() for k in RANKS}
    means = {f"r@{k}": float(np.mean([figures[f"{g}_r@{k}"] for g in places])) for k in RANKS}
    return {**figures, **means, "avg": float(np.mean([means[f"r@{k}"] for k in COMPOSED_RANKS]))}


@dataclasses.dataclass(frozen=True)
class Found:
    """What one way of asking finds: gallery -> group -> places."""

    places: Mapping[str, Mapping[str, Places]]

    def figures(self) -> dict[str, dict[str, float]]:
        """Gallery -> `figures_of`."""
        return {name: figures_of(places) for name, places in self.places.items()}

    @property
    def average(self) -> float:
        """`avg` in the main gallery."""
        return figures_of(self.places[MAIN])["avg"]


def find(galleries: Mapping[str, Gallery], queries: np.ndarray, photos: np.ndarray) -> Found:
    """Args: queries: [Q, D] in the order of the rows that ask. photos: [I, D]."""
    return Found({name: gallery.places(queries, photos) for name, gallery in galleries.items()})


def baselines(
    galleries: Mapping[str, Gallery], references: np.ndarray, texts: np.ndarray, photos: np.ndarray
) -> dict[str, Found]:
    """By name: chance, the photo alone, the text alone and both added up.

    Args: references: [Q] int, photos. texts: [Q, D], photos: [I, D], of length 1 or 0.
    """
    of_photos = photos[references]
    asked = {CHANCE: np.zeros_like(texts), "photo": of_photos, "text": texts}
    asked["sum"] = of_photos + texts  # its length does not change an order
    return {name: find(galleries, queries, photos) for name, queries in asked.items()}


def best_of(found: Mapping[str, Found]) -> str:
    """The name of what has the highest `avg` in the main gallery."""
    return max(found, key=lambda name: found[name].average)


def verdicts(baseline: Found, model: Found, triplets: Sequence[Triplet]) -> list[Verdict]:
    """On `avg` and on `r@1` in the main gallery. What is asked of one reference is drawn together.

    Args: triplets: all rows.
    """
    asking = [triplet for triplet in triplets if triplet.is_query]
    groups = np.array([triplet.group or "all" for triplet in asking])
    references = [triplet.reference for triplet in asking]
    titles = {"R@10 and R@50, mean over classes": COMPOSED_RANKS, "R@1, mean over classes": (1,)}
    return [
        compare(
            title,
            _mean_over_groups(_hits(baseline, groups, ranks), groups),
            _mean_over_groups(_hits(model, groups, ranks), groups),
            references,
        )
        for title, ranks in titles.items()
    ]


def _hits(found: Found, groups: np.ndarray, ranks: Sequence[int]) -> np.ndarray:
    """[Q] the mean over ranks of whether a query's target is among the first of them."""
    hits = np.zeros(len(groups))
    for group, places in found.places[MAIN].items():
        hits[groups == group] = np.mean([places.found(k) for k in ranks], axis=0)
    return hits


def _mean_over_groups(hits: np.ndarray, groups: np.ndarray):
    _, numbers = np.unique(groups, return_inverse=True)

    def figure(chosen: np.ndarray) -> float:
        sums = np.bincount(numbers[chosen], hits[chosen])
        counts = np.bincount(numbers[chosen])
        return float((sums[counts > 0] / counts[counts > 0]).mean())

    return figure


def line_of(name: str, found: Found) -> str:
    """One line of figures: R@K, means over the groups, in each gallery."""
    parts = []
    for gallery, figures in found.figures().items():
        values = ", ".join(f"R@{k} {figures[f'r@{k}']:.4f}" for k in RANKS)
        parts.append(f"{gallery.replace('_', ' ')}: {values}, avg {figures['avg']:.4f}")
    return f"{name}: " + "; ".join(parts)


def group_lines(found: Found) -> list[str]:
    """A line of each group in the main gallery; none where there is one group."""
    places = found.places[MAIN]
    if len(places) < 2:
        return []
    figures = figures_of(places)
    return [
        f"  {group} ({len(of_group.above)} queries): "
        + ", ".join(f"R@{k} {figures[f'{group}_r@{k}']:.4f}" for k in RANKS)
        for group, of_group in places.items()
    ]


def metrics_content(
    galleries: Mapping[str, Gallery], found: Mapping[str, Found], judged: Sequence[Verdict] = ()
) -> dict:
    """What `text_guided_metrics.json` holds. Args: found: by what asks, `model` among them."""
    return {
        "task": "text_guided_retrieval",
        "queries": int(galleries[MAIN].are_queries.sum()),
        "main_gallery": MAIN,
        "gallery_sizes": {name: gallery.sizes for name, gallery in galleries.items()},
        "figures": {name: each.figures() for name, each in found.items()},
        "verdicts": [verdict.content() for verdict in judged],
    }
