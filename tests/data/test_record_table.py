import pathlib

import pytest
import tensorflow as tf

from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records import record
from kaleido_tf.text import Vocabulary
from tests import small_records

VOCABULARY = Vocabulary()


def read(folder, length=9, feature_size=small_records.FEATURE_SIZE):
    return read_record_table(find_files(str(folder)), VOCABULARY, length, feature_size)


def test_table_holds_all_records_in_file_order(tmp_path):
    table = read(small_records.write(tmp_path, 12, per_shard=5))
    assert len(table) == 12 and table.file_starts.tolist() == [0, 5, 10, 12]
    assert table.product_ids[11] == "P011" and table.image_ids[0] == "P000_1"
    assert table.sequences.shape == (12, 9)
    first = table.sequences[table.texts[3]]
    assert VOCABULARY.text_of(first) == "[CLS] a black dress with 3 buttons [SEP]"
    assert table.lengths[table.texts[3]] == 8


def test_views_of_a_photo_are_records_of_its_own(tmp_path):
    old = read(small_records.write(tmp_path / "old", 4))
    assert old.views.tolist() == [0] * 4 and old.views.dtype.name == "int32"
    assert old.records_of_photos() == {f"P00{n}_1": [n] for n in range(4)}
    table = read(small_records.write(tmp_path / "two", 7, per_shard=3, change=small_records.viewed))
    assert table.views.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert table.records_of_photos()["P002_1"] == [4, 5]
    assert table.records_of_photos()["P003_1"] == [6]


def test_text_is_cut_to_the_sequence(tmp_path):
    table = read(small_records.write(tmp_path, 3), length=5)
    assert VOCABULARY.text_of(table.sequences[table.texts[1]]) == "[CLS] a blue skirt [SEP]"


def test_images_of_a_product_share_a_text(tmp_path):
    table = read(small_records.write(tmp_path, 6, images_a_product=3))
    assert table.texts.tolist() == [0, 0, 0, 1, 1, 1]


def test_feature_size_unlike_the_configs(tmp_path):
    folder = small_records.write(tmp_path, 3)
    with pytest.raises(
        InputError, match="`patch_feature_size` is 7, the records in .* hold 6 floats a patch"
    ):
        read(folder, feature_size=7)


def test_record_of_another_size_is_named(tmp_path):
    folder = small_records.write(
        tmp_path, 7, change=lambda n: small_records.fields_of(n, feature_size=8) if n == 6 else {}
    )
    with pytest.raises(
        InputError,
        match=r"records-00001-of-00002.tfrecord record 1 \(product P006\).*6 floats a patch.*880",
    ):
        read(folder)


def test_record_of_another_version_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RECORD_VERSION", 2)
    folder = small_records.write(tmp_path, 3)
    monkeypatch.undo()
    (folder / "dataset.json").write_text('{"record_version": 1, "feature_size": 6}')
    with pytest.raises(
        InputError, match=r"record 0 \(product P000\): version 1 is needed. Received: version 2"
    ):
        read(folder)


def test_token_beyond_the_vocabulary_is_named(tmp_path):
    folder = small_records.write(
        tmp_path, 4, change=lambda n: {"token_ids": [30522]} if n == 2 else {}
    )
    with pytest.raises(
        InputError, match=r"record 2 \(product P002\): token ids below 30522.*Received: 30522"
    ):
        read(folder)


def test_empty_text_is_named(tmp_path):
    folder = small_records.write(tmp_path, 4, change=lambda n: {"token_ids": []} if n == 1 else {})
    with pytest.raises(
        InputError, match=r"record 1 \(product P001\): a text of at least one token"
    ):
        read(folder)


def test_damaged_and_foreign_files_are_named(tmp_path):
    folder = small_records.write(tmp_path, 8, per_shard=8)
    file = find_files(str(folder))[0]
    content = pathlib.Path(file).read_bytes()
    pathlib.Path(file).write_bytes(content[: len(content) // 2 - 7])
    with pytest.raises(InputError, match="records-00000-of-00001.tfrecord: damaged or no record"):
        read(folder)
    with tf.io.TFRecordWriter(file) as writer:
        writer.write(b"not an example")
    with pytest.raises(InputError, match="damaged or no record"):
        read(folder)


def test_file_cut_off_between_records_is_named(tmp_path):
    folder = small_records.write(tmp_path, 8, per_shard=8)
    file = find_files(str(folder))[0]
    lines = [bytes(line) for line in tf.data.TFRecordDataset(file).take(5).as_numpy_iterator()]
    with tf.io.TFRecordWriter(file) as writer:
        for line in lines:
            writer.write(line)
    with pytest.raises(InputError, match=r"8 records are needed \(its dataset.json\). Received: 5"):
        read(folder)


def test_no_record_at_all_is_named(tmp_path):
    folder = small_records.write(tmp_path, 2)
    file = find_files(str(folder))[0]
    pathlib.Path(file).write_bytes(b"")
    (folder / "dataset.json").write_text('{"record_version": 1, "feature_size": 6}')
    with pytest.raises(InputError, match="hold none"):
        read(folder)


def test_damage_is_told_without_noise(tmp_path):
    folder = small_records.write(tmp_path / "r", 5)
    shard = next(folder.glob("*.tfrecord"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(InputError, match="damaged or no record .* truncated record at") as error:
        read(folder)
    assert "{{" not in str(error.value)
