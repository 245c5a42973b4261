import json

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.record import KALEIDO, parse_patch, parse_record, serialize_record
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
