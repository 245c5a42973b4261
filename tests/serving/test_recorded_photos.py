import numpy as np
import pytest

from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.serving.recorded_photos import RecordedPhotos
from kaleido_tf.text import Vocabulary
from tests import small_records


def opened(folder):
    files = find_files(str(folder))
    table = read_record_table(files, Vocabulary(), 9, small_records.FEATURE_SIZE)
    return table, RecordedPhotos([table])


def test_a_photo_is_read_where_it_lies(tmp_path):
    small_records.write(tmp_path, 23, per_shard=5)
    table, photos = opened(tmp_path)
    for number in (0, 4, 5, 22):
        features, boxes = photos.read(table.image_ids[number])
        assert features.shape == (1, 55, small_records.FEATURE_SIZE) and boxes.shape == (1, 55, 5)
        expected = small_records.fields_of(number)["patch_features"].astype(np.float16)
        np.testing.assert_array_equal(features[0], expected)


def test_the_views_of_a_photo_are_read_together(tmp_path):
    small_records.write(tmp_path, 14, per_shard=5, change=small_records.viewed)
    table, photos = opened(tmp_path)
    plain, mirrored = photos.read(table.image_ids[4])[0]
    assert not np.array_equal(plain, mirrored)


def test_a_photo_that_is_not_there_and_a_file_that_has_changed(tmp_path):
    small_records.write(tmp_path, 9, per_shard=5)
    table, photos = opened(tmp_path)
    with pytest.raises(InputError, match="photo X of the index is not in its records"):
        photos.read("X")
    first, second = (tmp_path / name for name in sorted(p.name for p in tmp_path.glob("*.tfrec*")))
    first.write_bytes(second.read_bytes())
    with pytest.raises(InputError, match="00000-of-00002.tfrecord has changed since it was opened"):
        photos.read(table.image_ids[0])
    second.unlink()
    with pytest.raises(InputError, match="00001-of-00002.tfrecord has changed since it was opened"):
        photos.read(table.image_ids[8])
