"""Photos stored once give every reader what photos stored for each product give."""

import os

import numpy as np
import pytest
import tensorflow as tf

from data_prep.alignment.alignments import AlignmentSettings
from data_prep.alignment.record_alignments import align_records
from data_prep.patch_tokens.pixel_photos import PixelPhotos
from kaleido_tf.captioning.product_photos import products_of
from kaleido_tf.data.coarse_features import read_coarse_features
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.own_text_examples import OwnTextExamples, row_image
from kaleido_tf.data.pipeline import RecordExamples
from kaleido_tf.data.record_table import (
    read_all_serialized,
    read_images,
    read_record_table,
    read_serialized,
)
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.records.parsing import parse_record
from kaleido_tf.records.photo import parse_photo
from kaleido_tf.records.record import KALEIDO, Record
from kaleido_tf.records.shards import read_shard, read_shards
from kaleido_tf.records.shared_photos import share_photo
from kaleido_tf.serving.recorded_photos import RecordedPhotos
from kaleido_tf.text import Vocabulary
from tests import pixel_records, shared_records, small_records

COUNT, SIZE = 13, small_records.FEATURE_SIZE
REFERRING = (1, 2, 4, 7, 8, 11)  # three products a photo, as far as they lie in one shard of 5


def photo_of_three(number):
    fields = small_records.fields_of(number - number % 3)
    return {name: fields[name] for name in KALEIDO.blocks}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Records that each hold their photo, and the same whose photos are stored once."""
    place = tmp_path_factory.mktemp("records")
    plain = small_records.write(place / "plain", COUNT, per_shard=5, change=photo_of_three)
    return plain, shared_records.share(plain, place / "shared")


def table_of(folder, size=SIZE):
    return read_record_table(find_files(str(folder)), Vocabulary(), 9, size)


@pytest.fixture(scope="module")
def tables(folders):
    return [table_of(folder) for folder in folders]


def raw_records(folder):
    files = find_files(str(folder))
    return [Record.parse(line.numpy()) for line in tf.data.TFRecordDataset(files)]


def test_a_photo_is_held_by_the_first_of_its_records(folders):
    plain, shared = (raw_records(folder) for folder in folders)
    assert tuple(n for n, record in enumerate(shared) if record.photo_of) == REFERRING
    assert shared[2].photo_of == shared[0].image_id and shared[7].photo_of == shared[6].image_id
    for one, other in zip(plain, shared):
        assert one.token_ids == other.token_ids and one.product_id == other.product_id
        assert other.photo == (b"" if other.photo_of else one.photo)
    sizes = [sum(map(os.path.getsize, find_files(str(folder)))) for folder in folders]
    assert sizes[1] < 0.7 * sizes[0]


def test_tables_say_the_same(tables):
    plain, shared = tables
    for name in ("product_ids", "image_ids", "subcategories", "texts", "file_starts", "sequences"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(shared, name))
    assert shared.shares_photos and not plain.shares_photos
    # what they take in memory differs by the names and lengths of photos alone
    assert np.allclose(plain.file_bytes, shared.file_bytes, rtol=0.05)


def assert_equal(one, other):
    assert tf.nest.map_structure(lambda _: 0, one) == tf.nest.map_structure(lambda _: 0, other)
    for first, second in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


@pytest.mark.parametrize(
    "read",
    [
        lambda table: [parse_record(read_serialized(table, n), SIZE) for n in (2, 5, 8, 12)],
        lambda table: read_images(table, np.array([1, 7, 12])),
        read_coarse_features,
        lambda table: list(products_of(table, "all").batches(4)),
        lambda table: [RecordedPhotos([table]).read(table.image_ids[n]) for n in (2, 3, 8)],
        lambda table: [
            [record.block(name) for name in KALEIDO.blocks] + [record.boxes]
            for file in table.files
            for record in read_shard(file)
        ],
    ],
    ids=["serialized", "images", "coarse", "products", "recorded", "shards"],
)
def test_readers_give_the_same(tables, read):
    assert_equal(*(read(table) for table in tables))


def test_training_and_evaluation_show_the_same(tables):
    def batches(table):
        def make(row):
            donor = parse_record(row["donor"], SIZE)["grey_features"]
            return {**row_image(row, table), "donor": donor, "ids": row["input_ids"]}

        examples = RecordExamples(table, make, ExamplesConfig(seed=4), donors=True)
        own = OwnTextExamples(table, lambda row: row_image(row, table), seed=4)
        return [
            list(examples.training_batches(3).take(6).as_numpy_iterator()),
            list(own.evaluation_batches(5).as_numpy_iterator()),
        ]

    assert_equal(*(batches(table) for table in tables))


def test_alignments_leave_photos_where_they_are(folders, tmp_path):
    folder = shared_records.share(folders[0], tmp_path / "aligned")
    before = [record.photo for record in raw_records(folder)]
    align_records(str(folder), lambda _, records: [[] for _ in records], AlignmentSettings(), {})
    assert [record.photo for record in raw_records(folder)] == before
    assert len(read_shards(find_files(str(folder)))) == COUNT


def test_photos_of_pixels(tmp_path):
    photo = pixel_records.as_jpeg(pixel_records.pixels_of(0))
    change = lambda n: {"photo": photo} if n in (5, 6, 7) else {}  # noqa: E731
    plain = pixel_records.write(tmp_path / "plain", 9, change=change)
    shared = shared_records.share(plain, tmp_path / "shared")
    assert [bool(r.photo_of) for r in raw_records(shared)[4:9]] == [0, 0, 1, 1, 0]

    def photos(folder):
        lines = read_all_serialized(table_of(folder, pixel_records.SIDE), np.arange(9))
        batches = PixelPhotos(str(folder), 0.3).training_batches(8, 2, seed=0, epoch=1)
        return [parse_photo(line, pixel_records.SIDE) for line in lines], list(batches)

    assert_equal(photos(plain), photos(shared))


def test_a_photo_without_its_holder_is_named(tmp_path, folders):
    folder = shared_records.share(folders[0], tmp_path / "cut")
    first = find_files(str(folder))[0]
    lines = [line.numpy() for line in tf.data.TFRecordDataset(first)]
    write_shard(first, [lines[3], *lines[1:3], lines[0], lines[4]])
    message = r"record 1 \(photo P001_1\): the photo of P000_1 is needed before it.*: P003_1"
    with pytest.raises(InputError, match=message):
        table_of(folder)


def test_photos_that_differ_are_not_shared(folders):
    records = read_shard(find_files(str(folders[0]))[0])
    with pytest.raises(ValueError, match="Received: photos that differ"):
        share_photo([records[0], records[3]])
