import dataclasses

import numpy as np
import pytest

from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.data.sampling import ExampleOrder
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.text import Vocabulary
from tests import small_records

FIELDS = ("records", "donors", "texts", "matched", "positions")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = small_records.write(tmp_path_factory.mktemp("records"), 23, per_shard=5)
    return read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)


def examples(order, start=0, epochs=None, count=60):
    """The first `count` examples: (image, donor image, text row, matched, position)."""
    found = []
    for block in order.blocks(start, epochs):
        starts = [
            int(np.flatnonzero([f == file for f in order.table.files])[0]) for file in block.files
        ]
        rows = np.concatenate(
            [np.arange(order.table.file_starts[s], order.table.file_starts[s + 1]) for s in starts]
        )
        for values in zip(
            rows[block.records], rows[block.donors], block.texts, block.matched, block.positions
        ):
            found.append(tuple(int(v) for v in values))
        if len(found) >= count:
            break
    return found[:count]


@pytest.fixture(scope="module")
def two_views(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views")
    small_records.write(folder, 26, per_shard=8, change=small_records.viewed)
    return read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)


def test_the_other_view_of_a_photo_is_no_mismatch_and_no_donor(two_views):
    shown = examples(ExampleOrder(two_views, seed=4), count=104)
    assert sorted(record for record, *_ in shown[:26]) == list(range(26))
    for record, donor, text, matched, _ in shown:
        assert record // 2 != donor // 2
        assert matched == (text == two_views.texts[record]) == (text == record // 2)
    assert {matched for *_, matched, _ in shown} == {True, False}


def test_plain_views_alone(two_views):
    order = ExampleOrder(two_views, seed=4, plain_only=True)
    shown = examples(order, count=39)
    assert len(order) == 13
    for start in (0, 13, 26):
        assert sorted(record for record, *_ in shown[start : start + 13]) == list(range(0, 26, 2))
    assert all(donor % 2 == 0 and donor != record for record, donor, *_ in shown)
    assert [position for *_, position in shown] == list(range(39))
    assert examples(order, 17, count=22) == shown[17:]


def test_examples_of_an_image_show_it_as_it_is(two_views):
    found = ExampleOrder(two_views, seed=4).examples_of("P005_1")
    drawn = [next(found) for _ in range(3)]
    assert {one.record for one in drawn} == {10}
    assert [one.position // 26 for one in drawn] == [0, 1, 2]


@pytest.mark.parametrize("block_bytes", [1, 3000, 1 << 20])
def test_every_record_once_an_epoch(table, block_bytes):
    shown = examples(ExampleOrder(table, seed=4, block_bytes=block_bytes), count=46)
    assert sorted(image for image, *_ in shown[:23]) == list(range(23))
    assert sorted(image for image, *_ in shown[23:]) == list(range(23))
    assert [image for image, *_ in shown[:23]] != [image for image, *_ in shown[23:]]
    assert [position for *_, position in shown] == list(range(46))


@pytest.mark.parametrize("block_bytes", [1, 3000, 1 << 20])
def test_any_start_gives_the_same_examples(table, block_bytes):
    order = ExampleOrder(table, seed=4, block_bytes=block_bytes)
    whole = examples(order, count=60)
    for start in (1, 7, 22, 23, 24, 41):
        assert examples(order, start, count=60 - start) == whole[start:]


def test_seed_decides(table):
    assert examples(ExampleOrder(table, seed=4)) == examples(ExampleOrder(table, seed=4))
    assert examples(ExampleOrder(table, seed=4)) != examples(ExampleOrder(table, seed=5))


def test_evaluation_is_one_pass_in_file_order(table):
    shown = examples(ExampleOrder(table, seed=4, shuffle=False), epochs=1, count=99)
    assert [image for image, *_ in shown] == list(range(23))


def test_half_is_matched_and_mismatches_come_from_the_sub_category(table):
    shown = examples(ExampleOrder(table, seed=4), count=23 * 40)
    matched = [row for row in shown if row[3]]
    assert abs(len(matched) / len(shown) - 0.5) < 0.03
    for image, _, text, is_matched, _ in shown:
        if is_matched:
            assert text == table.texts[image]
        else:
            assert text != table.texts[image]
            owner = int(np.flatnonzero(table.texts == text)[0])
            assert table.subcategories[owner] == table.subcategories[image]


def test_every_other_text_of_the_group_is_used(table):
    shown = examples(ExampleOrder(table, seed=4), count=23 * 80)
    wrong = {text for image, _, text, matched, _ in shown if image == 5 and not matched}
    group = set(table.texts[table.subcategories == table.subcategories[5]].tolist()) - {
        int(table.texts[5])
    }
    assert wrong == group


def test_negatives_from_anywhere(table):
    shown = examples(ExampleOrder(table, seed=4, negatives="any"), count=23 * 20)
    foreign = [
        table.subcategories[np.flatnonzero(table.texts == text)[0]] != table.subcategories[image]
        for image, _, text, matched, _ in shown
        if not matched
    ]
    assert 0.5 < np.mean(foreign) < 0.85  # two thirds of the others are of other sub-categories


def test_donor_is_another_product(tmp_path):
    folder = small_records.write(tmp_path, 12, per_shard=4, images_a_product=3)
    table = read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)
    for image, donor, *_ in examples(ExampleOrder(table, seed=1, block_bytes=1), count=120):
        assert table.product_ids[image] != table.product_ids[donor]


def test_equal_texts_are_never_a_mismatch(tmp_path):
    same = {"text": "the same", "token_ids": [1996, 2168]}
    folder = small_records.write(tmp_path, 9, change=lambda n: same if n % 3 == 0 else {})
    table = read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)
    order = ExampleOrder(table, seed=1)
    assert order.alone == 3  # all of sub-category 0 say the same
    for image, _, text, matched, _ in examples(order, count=90):
        assert matched == (text == table.texts[image])


def test_one_product_is_too_few(table):
    single = dataclasses.replace(table, product_ids=np.array(["P"] * len(table), dtype=object))
    with pytest.raises(InputError, match="at least 2 products. Received: 1"):
        ExampleOrder(single, seed=1)


def test_rising_negatives_come_nearer_epoch_by_epoch(table):
    order = ExampleOrder(table, seed=4, negatives="rising", rise_epochs=40)
    assert [order.near_share(epoch) for epoch in (0, 10, 40, 99)] == [0.0, 0.25, 1.0, 1.0]
    shown = examples(order, count=23 * 60)

    def near(rows):
        return np.mean(
            [
                table.subcategories[np.flatnonzero(table.texts == text)[0]]
                == table.subcategories[image]
                for image, _, text, matched, _ in rows
                if not matched
            ]
        )

    assert near(shown[: 23 * 6]) < 0.55  # a third by chance
    assert near(shown[23 * 40 :]) == 1.0
    assert (
        examples(order, start=23 * 7 + 3, count=30)
        == examples(order, count=23 * 7 + 33)[23 * 7 + 3 :]
    )


def test_unknown_source_of_negatives_is_named(table):
    with pytest.raises(
        InputError,
        match="`negatives` must be one of subcategory, any, rising, none. Received: hard",
    ):
        ExampleOrder(table, seed=1, negatives="hard")


def test_without_negatives_every_image_has_its_own_text(table):
    order = ExampleOrder(table, seed=4, negatives="none", donors=False)
    block = next(order.blocks())
    assert block.matched.all() and sorted(block.rows) == list(range(len(table)))
    assert block.rows.tolist() != sorted(block.rows)
    np.testing.assert_array_equal(block.texts, table.texts[block.rows])


def test_grouping_by_length_changes_the_order_alone(tmp_path):
    def longer(number):
        return {"token_ids": list(range(1000, 1000 + 2 + number * 7 % 13))}

    folder = small_records.write(tmp_path, 23, per_shard=5, change=longer)
    table = read_record_table(find_files(str(folder)), Vocabulary(), 16, small_records.FEATURE_SIZE)
    plain = examples(ExampleOrder(table, seed=4, block_bytes=1 << 20), count=69)
    order = ExampleOrder(table, seed=4, block_bytes=1 << 20, group_size=4)
    shown = examples(order, count=69)
    assert shown != plain
    for start in (0, 23, 46):
        epoch = slice(start, start + 23)
        assert sorted(shown[epoch], key=lambda one: one[-1]) == plain[epoch]
    lengths = np.array([table.lengths[text] for _, _, text, *_ in shown])

    def mean_spread(found):
        return np.ptp(found[:68].reshape(17, 4), axis=1).mean()

    others = np.array([table.lengths[text] for _, _, text, *_ in plain])
    # Batches begin at multiples of their size, also in epochs that do not.
    assert mean_spread(lengths) < 0.5 * mean_spread(others)
    for start in (8, 24, 60):
        assert examples(order, start, count=69 - start) == shown[start:]
