"""Products with their photos, read from records."""

import numpy as np

from kaleido_tf.captioning.product_photos import products_of
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.files.input_files import find_files
from kaleido_tf.text import Vocabulary
from tests import small_records


def table_of(folder, **settings):
    small_records.write(folder, 7, per_shard=3, **settings)
    return read_record_table(find_files(str(folder)), Vocabulary(), 9, small_records.FEATURE_SIZE)


def test_batches_hold_every_photo_of_a_product(tmp_path):
    products = products_of(table_of(tmp_path / "records", images_a_product=3), "all")
    assert products.product_ids == ("P000", "P001", "P002")
    assert products.records == ((0, 1, 2), (3, 4, 5), (6,))
    batches = list(products.batches(2))
    assert [batch[0].shape[:2] for batch in batches] == [(2, 3), (1, 1)]
    assert batches[0][2].tolist() == [[1, 1, 1]] * 2
    whole = list(products.batches(3))[0]
    assert whole[2].tolist() == [[1, 1, 1], [1, 1, 1], [1, 0, 0]]
    assert (whole[0][2, 1:] == 0).all() and (whole[1][2, 1:] == 0).all()
    fields = small_records.fields_of(4, images_a_product=3)
    np.testing.assert_allclose(whole[0][1, 1], fields["patch_features"], atol=2e-3)
    np.testing.assert_array_equal(whole[1][1, 1], fields["patch_boxes"])


def test_photos_of_a_product_need_not_stand_side_by_side(tmp_path):
    def change(number):
        return {"product_id": f"P{number % 3}", "image_id": f"P{number % 3}_{number}"}

    products = products_of(table_of(tmp_path / "records", change=change), "all")
    assert products.records == ((0, 3, 6), (1, 4), (2, 5))
    (features, _, mask), *_ = products.batches(3)
    assert mask.sum(1).tolist() == [3, 2, 2]
    expected = small_records.fields_of(5)["patch_features"]
    np.testing.assert_allclose(features[2, 1], expected, atol=2e-3)


def test_first_photos_alone(tmp_path):
    products = products_of(table_of(tmp_path / "records", images_a_product=3), "first")
    assert products.records == ((0,), (3,), (6,)) and len(products) == 3
    assert [mask.shape for *_, mask in products.batches(3)] == [(3, 1)]


def test_a_photo_in_two_views_is_one(tmp_path):
    table = table_of(tmp_path / "records", change=small_records.viewed)
    products = products_of(table, "all")
    assert products.product_ids == ("P000", "P001", "P002", "P003")
    assert products.records == ((0,), (2,), (4,), (6,))
