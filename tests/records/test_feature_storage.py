"""Features as float16, or as int8 with a scale a vector: what is stored, and what comes back."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import declared_by
from kaleido_tf.records.feature_storage import SCALES, block_bytes, restored, stored
from kaleido_tf.records.parsing import decode_block, decode_vector, parse_patch, parse_record
from kaleido_tf.records.record import KALEIDO, Record, serialize_record
from tests import small_records

ROWS, SIZE = 5, 7


@pytest.fixture
def rows():
    """Vectors of very different lengths, one of zeros and one with a single large number."""
    drawn = np.random.default_rng(3).normal(0, [[1e-3], [0.5], [200.0], [1.0], [1.0]], [ROWS, SIZE])
    drawn[3], drawn[4, 1:] = 0, 0
    return drawn


def test_int8_is_within_half_a_step_of_each_vector(rows):
    fields = stored("block", rows, ROWS, "int8")
    found = restored(fields["block"], fields["block" + SCALES], ROWS).astype(np.float64)
    step = np.abs(rows).max(axis=1, keepdims=True) / 127
    rounding = np.abs(rows) * 2.0**-10  # of float16, as which it is read
    assert (np.abs(found - rows) <= 0.5001 * step + rounding).all()
    assert (found[3] == 0).all() and found[4, 0] == pytest.approx(rows[4, 0], rel=1e-3)


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_tensors_and_arrays_come_back_alike(rows, storage, is_known):
    fields = stored("block", rows, ROWS, storage)
    raw, scales = fields["block"], fields.get("block" + SCALES, b"")
    assert len(raw) + len(scales) == block_bytes(ROWS, SIZE, storage)
    expected = restored(raw, scales, ROWS)
    assert expected.dtype == np.float16
    fields, known = (tf.constant(raw), tf.constant(scales)), storage if is_known else None
    np.testing.assert_array_equal(decode_block(*fields, ROWS, SIZE, known), expected)
    for row in range(ROWS):
        found = decode_vector(*fields, tf.constant(row), SIZE, known)
        np.testing.assert_array_equal(found, expected[row])


@pytest.mark.parametrize(("storage", "other"), [("float16", "int8"), ("int8", "float16")])
def test_a_record_that_is_stored_otherwise_than_it_is_said_fails(storage, other):
    serialized = serialize_record(small_records.fields_of(0), storage=storage)
    with pytest.raises(tf.errors.InvalidArgumentError):
        parse_record(tf.constant(serialized), small_records.FEATURE_SIZE, storage=other)


@pytest.mark.parametrize("known", [None, "int8"])
def test_a_whole_record(known):
    fields = small_records.fields_of(0, feature_size=2048)
    whole, half = (len(serialize_record(fields, storage=name)) for name in ("int8", "float16"))
    assert whole < 154_000 < 0.51 * half
    serialized = serialize_record(fields, storage="int8")
    parsed = parse_record(tf.constant(serialized), 2048, storage=known)
    record = Record.parse(serialized)
    for name, count in KALEIDO.blocks.items():
        assert parsed[name].dtype == tf.float16 and parsed[name].shape == [count, 2048]
        np.testing.assert_array_equal(parsed[name], record.block(name))
        np.testing.assert_allclose(parsed[name], fields[name], atol=0.02)
    patch = parse_patch(tf.constant(serialized), tf.constant(17), 2048, known)
    np.testing.assert_array_equal(patch, parsed["patch_features"][17])
    assert len(record.without_features().serialize()) < 5_000


def test_what_cannot_be_stored_is_refused(rows):
    for storage in ("float16", "int8"):
        with pytest.raises(ValueError, match="`block` needs 6 rows of features"):
            stored("block", rows, 6, storage)
        with pytest.raises(ValueError, match="`block` holds numbers that float16 cannot"):
            stored("block", rows * 1e6, ROWS, storage)


def test_folders_of_two_kinds_are_no_run(tmp_path):
    for name in ("one", "two"):
        small_records.write(tmp_path / name, 3)
    content = json.loads((tmp_path / "two/dataset.json").read_text())
    files = [str(next((tmp_path / name).glob("*.tfrecord"))) for name in ("one", "two")]
    for storage, message in (
        ("int8", "need one size, layout and storage of features.*float16.*int8"),
        ("int4", "`feature_storage` must be one of float16, int8. Received: 'int4'"),
    ):
        (tmp_path / "two/dataset.json").write_text(
            json.dumps({**content, "feature_storage": storage})
        )
        with pytest.raises(InputError, match=message):
            declared_by(files)
