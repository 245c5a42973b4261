import json

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.parsing import parse_patch, parse_record
from kaleido_tf.records.record import GRIDS, KALEIDO, Record, serialize_record
from tests import small_records


def test_record_is_read_back_as_written():
    pairs = {
        "alignment_tokens": [1, 2],
        "alignment_patches": [7, 40],
        "alignment_scores": [0.5, 0.25],
    }
    fields = small_records.fields_of(4, **pairs)
    example = parse_record(tf.constant(serialize_record(fields)), small_records.FEATURE_SIZE)
    for name, rows in KALEIDO.blocks.items():
        assert (
            example[name].shape == (rows, small_records.FEATURE_SIZE)
            and example[name].dtype == tf.float16
        )
        np.testing.assert_array_equal(example[name], fields[name].astype(np.float16))
    np.testing.assert_array_equal(example["patch_boxes"], fields["patch_boxes"])
    assert (
        example["product_id"].numpy() == b"P004"
        and example["text"].numpy().decode() == fields["text"]
    )
    assert example["token_ids"].numpy().tolist() == fields["token_ids"]
    for name, values in pairs.items():
        assert example[name].numpy().tolist() == values
    assert example["crop_box"].numpy().tolist() == [3, 37, 5, 55]


def test_one_patch_without_the_others():
    fields = small_records.fields_of(3)
    patch = parse_patch(
        tf.constant(serialize_record(fields)), tf.constant(17), small_records.FEATURE_SIZE
    )
    np.testing.assert_array_equal(patch, fields["patch_features"][17].astype(np.float16))


def test_resnet_record_takes_about_303_kilobytes():
    size = len(serialize_record(small_records.fields_of(0, feature_size=2048)))
    assert 74 * 2048 * 2 < size < 74 * 2048 * 2 + 2500


def test_wrong_blocks_are_refused():
    with pytest.raises(
        ValueError, match=r"`grey_features` needs 16 rows of features. Received: shape=\(15, 6\)"
    ):
        serialize_record(small_records.fields_of(0, grey_features=np.zeros([15, 6])))
    with pytest.raises(ValueError, match="`rotated_features` holds numbers that float16 cannot"):
        serialize_record(small_records.fields_of(0, rotated_features=np.full([3, 6], 1e6)))
    with pytest.raises(ValueError, match="`rotated_features` holds numbers that float16 cannot"):
        serialize_record(small_records.fields_of(0, rotated_features=np.full([3, 6], np.nan)))


def test_dataset_json_of_another_version_is_refused(tmp_path):
    with pytest.raises(InputError, match="dataset.json beside them.*Not found"):
        read_dataset_json(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"record_version": 99}))
    with pytest.raises(InputError, match="version 1 are needed.*says 99: write them again"):
        read_dataset_json(tmp_path)
    (tmp_path / "dataset.json").write_text("[")
    with pytest.raises(InputError, match="must be JSON"):
        read_dataset_json(tmp_path)


@pytest.mark.parametrize("layout", [KALEIDO, GRIDS[4]])
def test_view_shows_the_fields_that_were_written(layout):
    fields = small_records.fields_of(4, layout=layout)
    record = Record.parse(serialize_record(fields, layout))
    names = ("product_id", "image_id", "text", "token_ids")
    assert [getattr(record, name) for name in names] == [fields[name] for name in names]
    assert record.image_size == (40, 60) and record.crop_box == (3, 37, 5, 55)
    for name in layout.blocks:
        np.testing.assert_array_equal(record.block(name), fields[name].astype(np.float16))
    assert [len(part) for part in record.alignments] == [0, 0, 0]


def test_alignments_change_nothing_else():
    serialized = serialize_record(small_records.fields_of(3))
    record = Record.parse(serialized)
    pairs = {
        "alignment_tokens": [2, 5],
        "alignment_patches": [7, 40],
        "alignment_scores": [0.5, 0.1],
    }
    aligned = record.with_alignments(*pairs.values())
    expected = serialize_record(small_records.fields_of(3, **pairs))
    for got, fields in ((aligned, expected), (record, serialized)):
        assert tf.train.Example.FromString(got.serialize()) == tf.train.Example.FromString(fields)
    tokens, patches, scores = aligned.alignments
    assert tokens.tolist() == [2, 5] and patches.tolist() == [7, 40]
    np.testing.assert_allclose(scores, [0.5, 0.1])


def test_features_stand_in_the_order_of_their_names():
    """Else the bytes of a record would be another in every process."""
    serialized = serialize_record(small_records.fields_of(3))
    names = tf.train.Example.FromString(serialized).features.feature
    fields = [b"\n" + bytes([len(name)]) + name.encode() for name in sorted(names)]
    places = [serialized.index(field) for field in fields]
    assert len(places) == 17 and places == sorted(places)
    assert Record.parse(serialized).serialize() == serialized


def test_view_without_features_is_small_and_has_the_rest():
    record = Record.parse(serialize_record(small_records.fields_of(3))).without_features()
    assert record.image_id == "P003_1" and len(record.serialize()) < 5000
    with pytest.raises(IndexError):
        record.block("grey_features")


def test_foreign_examples_are_no_records():
    foreign = tf.train.Example()
    foreign.features.feature["image_id"].bytes_list.value.append(b"1_1")
    with pytest.raises(ValueError, match="no record_version, product_id, text"):
        Record.parse(foreign.SerializeToString())
