"""The outfits of a run and the photos of their items: opened, held against each other."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from kaleido_tf.command_line.session import Session
from kaleido_tf.data.class_labels import class_names
from kaleido_tf.data.named_photos import NamedPhotos
from kaleido_tf.data.outfit_config import OutfitConfig
from kaleido_tf.data.outfit_examples import OutfitExamples
from kaleido_tf.data.outfits import (
    CATEGORIES,
    NO_CATEGORY,
    Outfit,
    read_compatibility,
    read_item_categories,
    read_outfits,
    read_whole_outfits,
)
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.outfit_report import OutfitTest, Question


@dataclasses.dataclass(frozen=True)
class ItemCategories:
    """The categories that a model knows. Attributes: names: in their order. metadata: Polyvore's
    file of them; None: they are the sub-categories of records.
    """

    names: tuple[str, ...]
    metadata: str | None

    @classmethod
    def of_training(cls, table: RecordTable, metadata: str | None) -> "ItemCategories":
        """Polyvore's where a file says them, else the sub-categories of the training records."""
        if metadata:
            return cls(CATEGORIES, metadata)
        return cls(tuple(sorted(set(class_names(table, "subcatepred")))), None)

    def of_items(self, table: RecordTable, items: Sequence[str]) -> dict[str, int]:
        """Item -> number of its category. Raises: InputError for an item without one, or one that
        the model does not know.
        """
        if self.metadata:
            known = read_item_categories(self.metadata)
            missing = [item for item in items if item not in known]
            where = self.metadata
        else:
            numbers = {name: number for number, name in enumerate(self.names)}
            names = class_names(table, "subcatepred")
            named = dict(zip(table.image_ids, names)) | dict(zip(table.product_ids, names))
            known = {item: numbers[n] for item, n in named.items() if n in numbers}
            missing = [item for item in items if item in named and item not in known]
            where = f"the {len(self.names)} sub-categories that the model knows"
        if missing:
            raise InputError(
                f"Every item needs a category. Not in {where}: {missing[0]} ({len(missing)} items)"
            )
        return {item: known[item] for item in items if item in known}


def open_training(
    session: Session, table: RecordTable, categories: ItemCategories, settings: OutfitConfig
) -> OutfitExamples:
    """The outfits of --train_outfits. Raises: InputError as their readers and `NamedPhotos`."""
    outfits = _whole_outfits(settings.train_outfits, settings.train_split)
    items = list(dict.fromkeys(item for outfit in outfits for item in outfit))
    photos, numbers = _photos(table, items, categories, "--train_input_fp")
    side, seed = session.config.record_size, session.run.seed
    return OutfitExamples(outfits, photos, numbers, side, settings, seed)


@dataclasses.dataclass(frozen=True)
class EvaluatedOutfits:
    """What a model is asked of outfits, and the examples whose loss is reported."""

    test: OutfitTest
    examples: OutfitExamples

    @property
    def photos(self) -> NamedPhotos:
        """Of all items."""
        return self.examples.photos


def open_evaluated(
    session: Session, table: RecordTable, categories: ItemCategories, settings: OutfitConfig
) -> EvaluatedOutfits:
    """The questions of --eval_outfits, --fill_in_blank and --compatibility.

    Of whole outfits every item is asked for in turn.
    Raises: InputError as their readers and `NamedPhotos`, and for questions with different numbers
      of answers.
    """
    asked = _questions(settings.eval_outfits, settings.eval_split)
    choices = read_outfits(settings.fill_in_blank) if settings.fill_in_blank else []
    if len({len(row.answers) for row in choices} | {0}) > 2 or any(not r.answers for r in choices):
        raise InputError(
            f"{settings.fill_in_blank}: equally many `answers` in every question are needed."
            f" Received: {sorted({len(row.answers) for row in choices})}"
        )
    labels, judged = np.zeros(0, bool), []
    if settings.compatibility:
        labels, judged = read_compatibility(settings.compatibility)
    named = [(*row.items, row.blank, *row.answers) for row in (*asked, *choices)]
    items = list(dict.fromkeys(item for part in (*named, *judged) for item in part))
    photos, numbers = _photos(table, items, categories, "--eval_input_fp")

    def question(row: Outfit) -> Question:
        items, answers = (tuple(photos.numbers_of(x).tolist()) for x in (row.items, row.answers))
        return Question(items, photos.numbers[row.blank], row.is_query, answers)

    test = OutfitTest(
        numbers,
        [question(row) for row in asked],
        [question(row) for row in choices],
        (labels, [photos.numbers_of(outfit) for outfit in judged]),
    )
    whole = list(dict.fromkeys((*row.items, row.blank) for row in asked if row.is_query))
    side, seed = session.config.record_size, session.run.seed
    return EvaluatedOutfits(test, OutfitExamples(whole, photos, numbers, side, settings, seed))


def _photos(table, items, categories, where) -> tuple[NamedPhotos, np.ndarray]:
    """The photos of items, and their categories [I]."""
    photos = NamedPhotos(table, items, where)
    of_items = categories.of_items(table, items)
    numbers = np.zeros(len(photos), np.int64)
    for item, category in of_items.items():
        numbers[photos.numbers[item]] = category
    return photos, numbers


def _whole_outfits(path: str, split: str) -> list[tuple[str, ...]]:
    if path.endswith(".json"):
        return [(*row.items, row.blank) for row in read_outfits(path) if row.is_query]
    return read_whole_outfits(path, split)


def _questions(path: str, split: str) -> list[Outfit]:
    if path.endswith(".json"):
        return read_outfits(path)
    return [
        Outfit(outfit[:n] + outfit[n + 1 :], blank, (), NO_CATEGORY)
        for outfit in read_whole_outfits(path, split)
        for n, blank in enumerate(outfit)
    ]
