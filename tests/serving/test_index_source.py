import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.serving.index_source import IndexSource, read_source
from kaleido_tf.serving.photo_patches import NetworkFiles

SOURCE = IndexSource("model", ("a",), {"backbone": "onnx"}, NetworkFiles("net.onnx"))


def test_is_read_as_it_was_written(tmp_path):
    SOURCE.write(tmp_path)
    assert read_source(tmp_path) == SOURCE


def test_records_that_are_added_again_stand_last():
    added = SOURCE.with_records("b").with_records("a")
    assert added.records == ("b", "a")


@pytest.mark.parametrize("content", ["", "{}", '{"model": "m", "records": 3}', "[]"])
def test_what_says_nothing(tmp_path, content):
    if content:
        (tmp_path / "source.json").write_text(content)
    with pytest.raises(InputError, match="source.json"):
        read_source(tmp_path)
