"""What of an error of TensorFlow a person is told."""

import pytest
import tensorflow as tf

from kaleido_tf.errors import InputError, raised_inside, tensorflow_reason


def test_reason_without_names_of_nodes(tmp_path):
    (tmp_path / "x.tfrecord").write_bytes(b"Mac OS X" * 3)
    with pytest.raises(tf.errors.OpError) as error:
        list(tf.data.TFRecordDataset(str(tmp_path / "x.tfrecord")))
    assert "{{" in str(error.value)
    reason = tensorflow_reason(error.value)
    assert "corrupted record at 0" in reason and "{" not in reason and "[Op" not in reason
    assert tensorflow_reason(ValueError("one\ntwo")) == "one" and tensorflow_reason(OSError())


def test_input_errors_of_called_functions_are_known_again():
    error = tf.errors.UnknownError(None, None, "InputError: row 3 is bad")
    assert isinstance(raised_inside(error), InputError) and "row 3" in str(raised_inside(error))
    assert raised_inside(ValueError("other")) is None
