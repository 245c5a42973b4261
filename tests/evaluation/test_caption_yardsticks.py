"""The texts of the nearest photos."""

from kaleido_tf.captioning.product_photos import products_of
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.evaluation.caption_yardsticks import nearest_texts
from kaleido_tf.files.input_files import find_files
from kaleido_tf.text import Vocabulary
from tests import small_records


def read(folder, count, change):
    files = find_files(str(small_records.write(folder, count, change=change)))
    return read_record_table(files, Vocabulary(), 9, small_records.FEATURE_SIZE)


def test_photos_are_compared_as_they_are(tmp_path):
    """Five photos, of which each is its own nearest; mirrored ones show another product's kind."""

    def turned(number):
        fields = small_records.viewed(number)
        other = small_records.fields_of((number // 2 + 2) % 5)
        return fields | ({"patch_features": other["patch_features"]} if number % 2 else {})

    training = read(tmp_path / "train", 10, turned)
    asked = products_of(read(tmp_path / "valid", 5, lambda number: {}), "all")
    texts = [f"text {photo}" for photo in range(5)]
    assert nearest_texts(training, texts, asked.table, asked.records) == texts
