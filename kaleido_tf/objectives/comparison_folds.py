"""What comparisons that have not seen a product find in it: products are divided into folds, and
each fold is compared by a comparison that was trained on the others.

A comparison ranks the very products that it was fitted to far better than new ones (the truth first
in nine of ten lists, against three of ten; docs/departures.md). Whoever learns from such scores
learns to trust them and nothing else. Scores across folds cannot be mixed either, as each fold has
a comparison of its own: a list of candidates is of one fold.

n = images of a fold, S = text length, P = patches that are compared, D = width, V = vocabulary.
"""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.files.safetensors_file import SafetensorsFile, write_safetensors
from kaleido_tf.layers.comparison import TextImageComparison
from kaleido_tf.layers.comparison_member import LEAST_SPREAD, TEMPERATURE
from kaleido_tf.objectives.compared_products import (
    ComparedProducts,
    compared_products,
    fitting_records,
)
from kaleido_tf.objectives.comparison_start import fit_comparison

FOLDS = 4
LEAST_TEXTS = 2 * FOLDS
"""Two different texts a fold, or there is nothing to tell apart."""
NAME = "folds/comparison.safetensors"
"""In a run's folder; below it, as a file of weights beside a checkpoint would be taken for the
model's.
"""
MOST_SCORES = 1 << 28
"""Of all folds together, a gigabyte."""
_BLOCK = 64


@dataclasses.dataclass(frozen=True)
class ComparisonFold:
    """A fold, as plain arrays.

    Attributes:
      numbers: [n] of the records in their table. scores: [n, n] float32, of each text with each
        image, corrected as at ranking. patches: [n, P, D], words: [V, D] of length 1.
      weights, rarity, means, spreads: [V] of words; weight 0: not compared.
    """

    numbers: np.ndarray
    scores: np.ndarray
    patches: np.ndarray
    words: np.ndarray
    weights: np.ndarray
    rarity: np.ndarray
    means: np.ndarray
    spreads: np.ndarray

    def fits(self, ids: np.ndarray, image: int) -> np.ndarray:
        """[S, 3] float32 of a text's ids [S] and the image at this place, as
        `TextImageComparison` gives them.
        """
        _, first = np.unique(ids, return_index=True)
        counted = np.isin(np.arange(len(ids)), first) & (self.weights[ids] > 0)
        words = ids[counted]
        similarity = self.words[words] @ self.patches[image].T / TEMPERATURE
        best = TEMPERATURE * np.logaddexp.reduce(similarity, axis=1)
        result = np.zeros([len(ids), 3], np.float32)
        weights = self.weights[words]
        result[counted, 0] = (best - self.means[words]) / (self.spreads[words] + LEAST_SPREAD)
        result[counted, 1] = weights * len(words) / max(weights.sum(), 1e-9)
        result[counted, 2] = self.rarity[words]
        return result


def assign_folds(texts: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """[N] in 0..FOLDS-1: equal texts in one fold, each group spread over all.

    Args: texts: [N] numbers, equal where texts are. groups: [N], e.g. sub-categories.
    """
    generator = np.random.default_rng([seed, 4])
    distinct, first, places = np.unique(texts, return_index=True, return_inverse=True)
    order = generator.permutation(len(distinct))
    order = order[np.argsort(groups[first][order], kind="stable")]
    fold_of_text = np.empty(len(distinct), int)
    fold_of_text[order] = (np.arange(len(distinct)) + generator.integers(FOLDS)) % FOLDS
    return fold_of_text[places]


def compare_by_folds(
    model, table: RecordTable, strategy: tf.distribute.Strategy, epochs: int, seed: int
) -> list[ComparisonFold]:
    """Trains a comparison (one member) for each fold and lets it look at that fold, or as many of
    its products as `count_listed` says.

    Args: model: a `CrossModalBert` that reads its comparison.
    """
    products = compared_products(model, table)
    groups = table.subcategories[products.numbers]
    folds = assign_folds(products.texts, groups, seed)
    listed = np.zeros(len(products), bool)
    listed[np.linspace(0, len(products) - 1, count_listed(table)).astype(int)] = True
    found = []
    for number in range(FOLDS):
        print(f"comparison for fold {number + 1} of {FOLDS}, from the others", flush=True)
        with strategy.scope():
            comparison = model.make_comparison(members=1)
        others = products.some(np.flatnonzero(folds != number))
        fit_comparison(comparison, others, strategy, epochs, seed + number)
        found.append(look_at(comparison, products.some(np.flatnonzero(listed & (folds == number)))))
    return found


def count_listed(table: RecordTable) -> int:
    """Records that lists are made of: all, or as many as memory is meant to hold all patches of,
    and `MOST_SCORES` of the pairs within folds.
    """
    by_scores = int((MOST_SCORES * FOLDS) ** 0.5)  # FOLDS times the square of a fold
    return min(fitting_records(table, table.layout.num_patches), by_scores)


def check_texts_for_folds(texts: np.ndarray) -> None:
    """Raises: InputError for too few different ones to make folds of."""
    count = len(np.unique(texts))
    if count < LEAST_TEXTS:
        raise InputError(
            f"--task=retrieval needs products with at least {LEAST_TEXTS} different texts."
            f" Received: {count}"
        )


def look_at(comparison: TextImageComparison, products: ComparedProducts) -> ComparisonFold:
    """What a comparison of one member finds in products that it has not seen."""
    member, rows = comparison.members[0], np.arange(len(products))
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    texts = [products.text(block) for block in blocks]
    of_texts = [comparison.text_hubness(*text) for text in texts]
    of_images = [comparison.image_hubness(products.features(block)) for block in blocks]
    images = [member.image_side(products.features(block)) for block in blocks]
    scores = tf.concat(
        [
            tf.concat([member.all_pairs(member.text_side(*text), image) for image in images], 1)
            for text in texts
        ],
        0,
    )
    hubness = tf.concat(of_texts, 0)[:, None] + tf.concat(of_images, 0)
    return ComparisonFold(
        numbers=products.numbers,
        scores=(2 * scores - hubness).numpy(),
        patches=tf.concat([image.patches for image in images], 0).numpy(),
        words=tf.math.l2_normalize(member.words, -1).numpy(),
        weights=np.maximum(member.word_weights.numpy(), 0),
        rarity=member.rarity.numpy(),
        means=member.fit_means.numpy(),
        spreads=member.fit_spreads.numpy(),
    )


def write_folds(folder: pathlib.Path, folds: list[ComparisonFold]) -> None:
    """Writes them into `folder`; the file appears whole or not at all."""
    tensors = {
        f"{number}/{field.name}": getattr(fold, field.name)
        for number, fold in enumerate(folds)
        for field in dataclasses.fields(fold)
    }
    write_safetensors(folder / NAME, tensors, {})


def read_folds(folder: pathlib.Path) -> list[ComparisonFold]:
    """What `write_folds` left. Raises: InputError if it is not there or broken."""
    if not (folder / NAME).is_file():
        raise InputError(
            f"A run of --task=retrieval that is gone on with needs its {NAME}. Not found in"
            f" {folder}. Use another --model_dir to begin anew"
        )
    file = SafetensorsFile(folder / NAME)
    names = [field.name for field in dataclasses.fields(ComparisonFold)]
    return [
        ComparisonFold(**{name: file.read(f"{number}/{name}") for name in names})
        for number in range(FOLDS)
    ]
