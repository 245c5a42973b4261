"""Yardsticks for retrieval: what scorers without any transformer reach, on the same candidate lists
and with the same evaluator.

`python -m benchmarks.retrieval_yardstick --train=records/train --test=records/valid`: ridge
regression, linear contrastive towers, the comparison of words with patches, and the sum of the last
two; each as it is and corrected for hubs. A model that does not beat them has learnt less than
which words go with which features. Their settings are fixed: none is chosen on --test.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import dataclasses

import numpy as np
from absl import flags

from benchmarks.linear_yardsticks import (
    LinearTowers,
    RidgeScorer,
    WordPatchComparison,
    hub_corrected,
)
from kaleido_tf.command import run_command
from kaleido_tf.data.record_table import RecordTable, read_images, read_record_table
from kaleido_tf.evaluation.candidates import Pairs, read_candidate_pairs
from kaleido_tf.evaluation.photo_views import mean_over_views, pairs_of_views
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS, RetrievalMetrics, evaluate_retrieval
from kaleido_tf.files.input_files import find_files
from kaleido_tf.patches import level_slice
from kaleido_tf.records.dataset_json import size_of
from kaleido_tf.records.record import KALEIDO
from kaleido_tf.records.views import PLAIN
from kaleido_tf.text import Vocabulary

YARDSTICKS = ("ridge", "towers", "words", "sum")
flags.DEFINE_string("train", None, "Records to fit on.", required=True)
flags.DEFINE_string("test", None, "Records of the candidate lists.", required=True)
flags.DEFINE_string("candidates", None, "Folder of the candidate lists; default: beside --test.")
flags.DEFINE_multi_enum(
    "only", YARDSTICKS, YARDSTICKS, "Which ones: sum is that of towers and words, standardised."
)
flags.DEFINE_float("ridge", 3.0, "Ridge penalty.", lower_bound=0.0)
flags.DEFINE_integer(
    "neighbours", 10, "Nearest training products for the correction for hubs.", lower_bound=1
)
flags.DEFINE_list("seeds", ["0"], "Of towers and words: a row each, and the sum of them all.")
FLAGS = flags.FLAGS

LONGEST_TEXT = 512
RANKS = (1, 5, 10)


@dataclasses.dataclass(frozen=True)
class Products:
    """The products of records: their table, texts, word pieces, and features [N, P, F] of levels 1
    to 3 (of a grid: all patches).
    """

    table: RecordTable
    texts: list[str]
    pieces: list[list[int]]
    features: np.ndarray

    @property
    def coarse(self) -> np.ndarray:
        """Features of levels 1 and 2 (of a grid: all)."""
        kaleido = self.table.layout == KALEIDO
        return self.features[:, : level_slice("jigsaw").stop] if kaleido else self.features


@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of test texts against test images, test texts against training images, and training
    texts against test images.
    """

    test: np.ndarray
    texts_to_bank: np.ndarray
    bank_to_images: np.ndarray

    def corrected(self, neighbours: int) -> np.ndarray:
        """Those of test against test, corrected for hubs."""
        return hub_corrected(self.test, self.texts_to_bank, self.bank_to_images, neighbours)

    def standardised(self) -> "Scores":
        """Divided by their spread, so that two scorers can be added."""
        parts = (self.test, self.texts_to_bank, self.bank_to_images)
        return Scores(*(part / self.test.std() for part in parts))

    def __add__(self, other: "Scores") -> "Scores":
        return Scores(
            self.test + other.test,
            self.texts_to_bank + other.texts_to_bank,
            self.bank_to_images + other.bank_to_images,
        )


def read(pattern: str) -> Products:
    """Reads the products of records."""
    files = find_files(pattern)
    vocabulary = Vocabulary(pathlib.Path(files[0]).parent / "vocab.txt")
    table = read_record_table(files, vocabulary, LONGEST_TEXT, size_of(files))
    pieces = [table.sequences[row][1 : table.lengths[row] - 1].tolist() for row in table.texts]
    _, features, _ = read_images(table, np.arange(len(table)))
    used = level_slice("camouflage").stop if table.layout == KALEIDO else table.layout.num_patches
    return Products(
        table,
        [vocabulary.text_of(ids) for ids in pieces],
        pieces,
        features[:, :used].astype(np.float32),
    )


class Yardsticks:
    """Learns scorers on `train` and scores `test`, each once."""

    def __init__(self, train: Products, test: Products, ridge: float):
        self._train, self._test, self._ridge = train, test, ridge
        self._known: dict[tuple[str, int], Scores] = {}

    def scores(self, name: str, seed: int) -> Scores:
        """Of one of `YARDSTICKS`, divided by their spread."""
        if (name, seed) not in self._known:
            if name == "sum":
                scores = self.scores("towers", seed) + self.scores("words", seed)
            else:
                scores = self._learn(name, seed)
            self._known[name, seed] = scores.standardised()
        return self._known[name, seed]

    def _learn(self, name: str, seed: int) -> Scores:
        products = self._train, self._test
        if name == "words":
            sides = [(part.pieces, part.features) for part in products]
            scorer = WordPatchComparison(*sides[0], seed)
        elif name == "towers":
            sides = [(part.texts, part.coarse) for part in products]
            scorer = LinearTowers(*sides[0], seed)
        else:
            sides = [(part.texts, part.features) for part in products]
            scorer = RidgeScorer(*sides[0], self._ridge)
        texts, images = sides[1]
        plain = np.flatnonzero(self._train.table.views == PLAIN)  # the bank holds each photo once
        bank_texts, bank_images = [sides[0][0][row] for row in plain], sides[0][1][plain]
        return Scores(
            scorer.score(texts, images),
            scorer.score(texts, bank_images),
            scorer.score(bank_texts, images),
        )


def evaluate(scores: np.ndarray, pairs: Pairs, table: RecordTable) -> RetrievalMetrics:
    """Ranks of the candidate lists by scores [T, I] of the records of `table`."""
    viewed, counts = pairs_of_views(table, pairs)
    given = mean_over_views(scores[viewed.texts, viewed.images], counts)
    return evaluate_retrieval(
        pairs.lists, pairs.labels, np.stack([-given, given], axis=1), equal_texts=pairs.equal_texts
    )


def row(name: str, metrics: list[RetrievalMetrics]) -> str:
    """One line of the table: Rank@1/5/10 in percent, both directions."""
    columns = ["/".join(f"{100 * m.rank[k]:5.2f}" for k in RANKS) for m in metrics]
    return f"{name:<40} {columns[0]:>19}   {columns[1]:>19}"


def main(_):
    train, test = read(FLAGS.train), read(FLAGS.test)
    folder = FLAGS.candidates or os.path.dirname(test.table.files[0])
    pairs = [
        read_candidate_pairs(os.path.join(folder, f"candidates_{way}.jsonl"), way, test.table)
        for way in DIRECTIONS
    ]

    def ranks(scores: np.ndarray) -> list[RetrievalMetrics]:
        return [evaluate(scores, each, test.table) for each in pairs]

    def report(name: str, scores: Scores) -> None:
        for title, values in (
            (name, scores.test),
            (f"{name}, corrected for hubs", scores.corrected(FLAGS.neighbours)),
        ):
            print(row(title, ranks(values)), flush=True)

    chance = ranks(np.zeros([len(test.texts)] * 2))
    print(f"{chance[0].queries} queries a direction; Rank@{'/'.join(map(str, RANKS))} in percent")
    print(f"{'':<40} {DIRECTIONS[0]:>19}   {DIRECTIONS[1]:>19}")
    print(row("chance", chance))
    yardsticks = Yardsticks(train, test, FLAGS.ridge)
    for name in (name for name in YARDSTICKS if name in FLAGS.only):
        seeds = [int(seed) for seed in FLAGS.seeds]
        if name == "ridge":  # nothing is drawn
            report(name, yardsticks.scores(name, 0))
            continue
        for seed in seeds:
            report(f"{name} (seed {seed})", yardsticks.scores(name, seed))
        if len(seeds) > 1:
            of_seeds = [yardsticks.scores(name, seed) for seed in seeds]
            report(f"{name}, {len(seeds)} seeds summed", sum(of_seeds[1:], of_seeds[0]))


if __name__ == "__main__":
    run_command(main)
