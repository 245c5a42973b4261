"""Pairs of an outfit as a run shows them."""

import numpy as np
import pytest

from kaleido_tf.data.named_photos import NamedPhotos
from kaleido_tf.data.outfit_config import OutfitConfig
from kaleido_tf.data.outfit_examples import OutfitExamples
from kaleido_tf.data.record_table import open_records
from kaleido_tf.records.record import PIXELS
from kaleido_tf.text import Vocabulary
from tests import pixel_records, small_outfits
from tests.batch_parts import assert_all_parts_are_the_whole

OUTFITS = [small_outfits.outfit(*numbers) for numbers in ((0, 3), (1, 4, 7), (2, 5), (6, 9, 10))]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = pixel_records.write(tmp_path_factory.mktemp("photos") / "all", small_outfits.COUNT)
    table = open_records(str(folder), PIXELS, pixel_records.SIDE, Vocabulary(), 9)
    names = sorted({name for outfit in OUTFITS for name in outfit})
    return NamedPhotos(table, names, "photos")


def examples_of(photos, seed=4, **settings):
    categories = np.arange(len(photos)) % 3
    return OutfitExamples(OUTFITS, photos, categories, 32, OutfitConfig(**settings), seed)


def test_two_different_items_are_drawn_anew(photos):
    examples = examples_of(photos)
    seen = [set() for _ in OUTFITS]
    for epoch in range(40):
        for outfit, found, (first, second) in zip(OUTFITS, seen, examples.pairs(epoch)):
            members = set(photos.numbers_of(outfit).tolist())
            assert first != second and {first, second} <= members
            found.add((first, second))
    assert [len(found) for found in seen] == [2, 6, 2, 6]  # every ordered pair


def test_the_release_draws_once_and_from_all(photos):
    examples = examples_of(photos, pairs="release")
    np.testing.assert_array_equal(examples.pairs(0), examples.pairs(7))
    drawn = [examples_of(photos, seed, pairs="release").pairs(0) for seed in range(30)]
    assert np.mean([pair[0] == pair[1] for pairs in drawn for pair in pairs]) > 0.2


def test_a_late_start_shows_what_would_have_come(photos):
    examples = examples_of(photos)
    whole = examples.training_batches(2)
    taken = [{n: v.numpy() for n, v in batch.items()} for batch in whole.take(5)]
    (late,) = examples.training_batches(2, start=8).take(1)
    for name, value in late.items():
        np.testing.assert_array_equal(value, taken[4][name], err_msg=name)


def test_a_batch_holds_photos_and_categories_of_one_pair(photos):
    examples = examples_of(photos, smallest_cut=1.0, mirror_probability=0.0)
    sizes = []
    for batch in examples.evaluation_batches(3):
        sizes.append(len(batch["photo"]))
        np.testing.assert_array_equal(batch["answer_category"], batch["answer_number"] % 3)
    assert sizes == [3, 1]
    whole = np.concatenate([batch["photo"] for batch in examples.photo_batches(4)])
    assert whole.shape == (len(photos), 32, 32, 3)
    np.testing.assert_array_equal(batch["photo"][0], whole[examples.pairs(0)[3][0]])


def test_other_outfits_are_other_data(photos):
    one = examples_of(photos)
    other = OutfitExamples(OUTFITS[::-1], photos, np.zeros(len(photos)), 32, OutfitConfig(), 4)
    assert one.digest != other.digest
    assert one.digest == examples_of(photos, seed=8).digest


def test_parts_are_the_whole(photos):
    assert_all_parts_are_the_whole(examples_of(photos), 6, count=3)
