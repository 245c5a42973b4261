"""What the vectors of a model find among some records, and whether that is more than before.

Q = queries, N = pairs of candidate lists.
"""

import dataclasses
import os
import pathlib

import numpy as np

from kaleido_tf.command_line.examples import ListedPairs, candidates_beside
from kaleido_tf.command_line.gallery import Gallery, gallery_of
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.candidates import Pairs, read_candidate_pairs
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS, found_first
from kaleido_tf.evaluation.verdict import Verdict, compare
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.search import gallery_recall

YARDSTICK = "yardstick.json"


@dataclasses.dataclass(frozen=True)
class ListRanks:
    """The candidate lists of a direction: their pairs, and `logits` [N, 2] of (0, the cosine of the
    vectors of text and photo).
    """

    pairs: ListedPairs
    logits: np.ndarray


@dataclasses.dataclass(frozen=True)
class Found:
    """What the queries of a figure found: `queries` [Q] str, whose each is, and `first` [Q] float,
    whether a right answer stands first.
    """

    queries: list[str]
    first: list[float]

    @property
    def mean(self) -> float:
        """The figure."""
        return float(np.mean(self.first))


@dataclasses.dataclass(frozen=True)
class VectorRanks:
    """Attributes: gallery: the records with their vectors. lists: direction -> candidate lists, of
    those that lie beside the records. found: figure -> what is found.
    """

    gallery: Gallery
    lists: dict[str, ListRanks]
    found: dict[str, Found]


def open_lists(records: str, table: RecordTable) -> dict[str, Pairs]:
    """Direction -> the candidate lists beside the records, where there are any. Raises: InputError
    as `read_candidate_pairs`.
    """
    paths = {direction: candidates_beside(records, direction) for direction in DIRECTIONS}
    return {
        direction: read_candidate_pairs(path, direction, table)
        for direction, path in paths.items()
        if os.path.isfile(path)
    }


def vector_ranks(model, table: RecordTable, lists: dict[str, Pairs]) -> VectorRanks:
    """Args: model: with its weights. lists: as `open_lists`."""
    gallery, found, ranks = gallery_of(model, table), {}, {}
    for direction in DIRECTIONS:
        queries = gallery.queries(direction)
        scores = gallery.scores(direction, corrected=False)
        first = gallery_recall.found_first(scores, queries, gallery.found(direction))
        products = [str(product) for product in queries.products]
        found[f"{direction} full_recall_at_1"] = Found(products, first.tolist())
    for direction, pairs in lists.items():
        listed = ListedPairs.of(table, pairs)
        ranks[direction] = ListRanks(listed, _logits(gallery, pairs))
        first = found_first(listed.queries, listed.labels, ranks[direction].logits[:, 1])
        names = [str(name) for name in dict.fromkeys(listed.queries.tolist())]
        found[f"{direction} Rank@1"] = Found(names, first.tolist())
    return VectorRanks(gallery, ranks, found)


def _logits(gallery: Gallery, pairs: Pairs) -> np.ndarray:
    def vectors(name, rows):
        place = {row: number for number, row in enumerate(gallery.records[name].tolist())}
        return gallery.vectors[name][[place[row] for row in rows.tolist()]]

    near = (vectors("texts", pairs.texts) * vectors("photos", pairs.images)).sum(axis=1)
    return np.stack([np.zeros_like(near), near], axis=1)


def write_yardstick(folder: pathlib.Path, found: dict[str, Found]) -> None:
    """Keeps in `folder` what a model found before it was trained."""
    write_json(folder / YARDSTICK, {name: dataclasses.asdict(each) for name, each in found.items()})


def read_yardstick(folder: pathlib.Path) -> dict[str, Found]:
    """As `write_yardstick` left it. Raises: InputError if it is not there."""
    path = folder / YARDSTICK
    if not path.is_file():
        raise InputError(
            f"A run that is gone on with needs its {YARDSTICK}, which it writes before the first"
            f" step. Not found in {folder}"
        )
    return {name: Found(**each) for name, each in read_json_object(path).items()}


def verdicts(before: dict[str, Found], after: dict[str, Found]) -> dict[str, Verdict]:
    """Figure -> whether it is better. Raises: InputError if the two are of other records."""
    if {k: f.queries for k, f in before.items()} != {k: f.queries for k, f in after.items()}:
        raise InputError(
            f"{YARDSTICK} must be of the records and candidate lists of --eval_input_fp. Received:"
            " that of others, with which the run began"
        )
    result = {}
    for name, found in after.items():
        one, other = np.array(before[name].first), np.array(found.first)
        result[name] = compare(
            name,
            lambda numbers, one=one: one[numbers].mean(),
            lambda numbers, other=other: other[numbers].mean(),
            found.queries,
        )
    return result
