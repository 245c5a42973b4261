"""Records to lists of candidates for learning to rank: each image with its own text and others',
each text with its own image and others'.

The candidates of a list are of one fold (comparison_folds.py): half of the query's sub-category,
half of those that the fold's comparison ranks highest.

L = lists, C = candidates, S = text length, P = patches, F = feature size.
"""

import functools
import itertools
import pathlib

import numpy as np
import tensorflow as tf

from kaleido_tf.data.batch_parts import WHOLE, Part, batches_of_part, in_part
from kaleido_tf.data.own_text_examples import OwnTextExamples
from kaleido_tf.data.record_table import RecordTable, read_images
from kaleido_tf.objectives.comparison_folds import ComparisonFold, count_listed, read_folds
from kaleido_tf.objectives.list_config import ListConfig

NEAREST = 60
"""Half of the candidates are drawn from as many that are ranked highest."""


class ListExamples:
    """The lists of a run: `input_ids`, `input_mask`, `segment_ids` [L, C, S], `patch_features` [L,
    C, P, F] float16, `patch_boxes` [L, C, P, 5], `comparison_score` [L, C], `comparison_fits` [L,
    C, S, 3]. The first candidate of each is the right one.

    An epoch holds two lists for every image of a fold: of texts, and of images for its text. What a
    list is depends on (seed, position) alone. There are none to evaluate: products that training
    never saw are ranked by the whole model (command_line/retrieval_task.py).

    Args: folder: where the run leaves its folds, which are read when the first list is drawn.
    """

    def __init__(self, table: RecordTable, folder: pathlib.Path, settings: ListConfig, seed: int):
        self.table, self._folder, self._settings, self._seed = table, folder, settings, seed
        self._records = OwnTextExamples(table, lambda row: row, seed)
        self.digest, self.sample_features = self._records.digest, self._records.sample_features
        self.notes = self._records.notes

    def __len__(self) -> int:
        return 2 * count_listed(self.table)

    def describe(self) -> str:
        """How many images and shards, and how long the lists are."""
        return f"{self._records.describe()}, two lists of {self._settings.candidates} each"

    def training_batches(
        self, batch_size: int, start: int = 0, part: Part = WHOLE
    ) -> tf.data.Dataset:
        """Endless batches from list `start` on, or a part of each."""

        def lists():
            for place in itertools.count():
                if in_part(place, batch_size, part):
                    yield self.list_at(start + place)

        dataset = tf.data.Dataset.from_generator(lists, output_signature=self._signature())
        return batches_of_part(dataset, batch_size, part).prefetch(2)

    def list_at(self, position: int) -> dict[str, np.ndarray]:
        """The list at a position of the run, counted over epochs; shapes as the class says, without
        L.
        """
        fold, place, of_texts = self._query(position)
        generator = np.random.default_rng([self._seed, 6, position])
        others = self._others(fold, place, of_texts, generator)
        candidates = np.concatenate([[place], others])
        query = np.full(len(candidates), place)
        texts, images = (candidates, query) if of_texts else (query, candidates)
        rows, features, boxes = self._images
        table, numbers = self.table, fold.numbers
        of_images = rows[numbers[images]]
        ids = table.sequences[table.texts[numbers[texts]]]
        mask = np.arange(ids.shape[1]) < table.lengths[table.texts[numbers[texts]]][:, None]
        # A text that stands in every pair of a list is shown alike in all.
        draws = generator.random([len(ids) if of_texts else 1, ids.shape[1]])
        shown = draws >= self._settings.hidden_words
        shown[:, 0] = True  # [CLS]
        return {
            "input_ids": ids,
            "input_mask": (mask & shown).astype(np.int32),
            "segment_ids": np.zeros_like(ids),
            "patch_features": features[of_images],
            "patch_boxes": boxes[of_images],
            "comparison_score": fold.scores[texts, images],
            "comparison_fits": np.stack([fold.fits(*pair) for pair in zip(ids, images)]),
        }

    def _query(self, position: int) -> tuple[ComparisonFold, int, bool]:
        """Fold, place in it, and whether texts are ranked for the image or images for its text."""
        epoch, place = divmod(position, len(self))
        number = int(self._order(epoch)[place])
        image, of_texts = divmod(number, 2)
        fold = int(np.searchsorted(self._starts, image, side="right")) - 1
        return self._folds[fold], image - int(self._starts[fold]), bool(of_texts)

    @functools.lru_cache(maxsize=1)  # noqa: B019 (a run has one such object)
    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self._seed, 5, epoch]).permutation(len(self))

    def _others(self, fold: ComparisonFold, place: int, of_texts: bool, generator) -> np.ndarray:
        """The candidates [C - 1] beside the right one; none has its text."""
        count = self._settings.candidates - 1
        texts, kinds = (
            column[fold.numbers] for column in (self.table.texts, self.table.subcategories)
        )
        foreign = (texts != texts[place]) & _one_of_each(texts, generator)
        alike = np.flatnonzero(foreign & (kinds == kinds[place]))
        alike = generator.choice(alike, min(len(alike), count // 2), replace=False)
        scores = fold.scores[:, place] if of_texts else fold.scores[place]
        ranked = np.argsort(-scores, kind="stable")
        ranked = ranked[foreign[ranked] & ~np.isin(ranked, alike)][: max(NEAREST, count)]
        missing = count - len(alike)
        if len(ranked) >= missing:
            return np.concatenate([alike, generator.choice(ranked, missing, replace=False)])
        # A fold of fewer products than a list has places: some stand there twice.
        return generator.choice(np.flatnonzero(foreign), count, replace=True)

    @functools.cached_property
    def _folds(self) -> list[ComparisonFold]:
        return read_folds(self._folder)

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(len(fold.numbers) for fold in self._folds)])

    @functools.cached_property
    def _images(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return read_images(self.table, np.concatenate([fold.numbers for fold in self._folds]))

    def _signature(self) -> dict[str, tf.TensorSpec]:
        count, length = self._settings.candidates, self.table.sequences.shape[1]
        patches, size = self.table.layout.num_patches, self.table.feature_size
        text = tf.TensorSpec([count, length], tf.int32)
        return {
            "input_ids": text,
            "input_mask": text,
            "segment_ids": text,
            "patch_features": tf.TensorSpec([count, patches, size], tf.float16),
            "patch_boxes": tf.TensorSpec([count, patches, 5], tf.int32),
            "comparison_score": tf.TensorSpec([count], tf.float32),
            "comparison_fits": tf.TensorSpec([count, length, 3], tf.float32),
        }


def _one_of_each(texts: np.ndarray, generator) -> np.ndarray:
    """[n] bool: one image of each text, any of them, so that no text comes twice in a list."""
    order = generator.permutation(len(texts))
    _, first = np.unique(texts[order], return_index=True)
    return np.isin(np.arange(len(texts)), order[first])
