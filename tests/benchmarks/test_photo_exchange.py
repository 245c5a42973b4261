"""The control of rankings: other photos, everything else as it was."""

import numpy as np

from benchmarks.photo_exchange import exchanged, others
from kaleido_tf.records.record import KALEIDO, Record, serialize_record
from tests.small_records import fields_of


def test_every_member_of_a_group_gets_another_of_it_once():
    groups = np.array([3, 5, 3, 3, 5, 7])
    chosen = others(groups, seed=4)
    assert sorted(chosen) == list(range(6))
    assert (groups[chosen] == groups).all()
    assert (chosen[:5] != np.arange(5)).all() and chosen[5] == 5


def test_photos_change_their_products_and_texts_stay():
    fields = [fields_of(number, crop_box=[number, 30, 0, 40]) for number in range(9)]
    records = [serialize_record(each, KALEIDO) for each in fields]
    results = exchanged(records, KALEIDO, seed=1)
    before, after = ([Record.parse(record) for record in part] for part in (records, results))
    assert [r.text for r in before] == [r.text for r in after]
    assert [r.image_id for r in before] == [r.image_id for r in after]
    for number, record in enumerate(after):
        other = before[record.crop_box[0]]
        assert other.image_id != before[number].image_id
        assert other.subcategory_id == record.subcategory_id
        for block in KALEIDO.blocks:
            np.testing.assert_array_equal(record.block(block), other.block(block))
