"""`classes.json`, written and read back; broken ones are named."""

import json

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.objectives.class_list import ClassList, read_class_list


@pytest.mark.parametrize(
    "classes",
    [
        ClassList("catepred", "text", 2, ("Hüte", "a/b"), (3, 1)),
        ClassList("subcatepred", "both", 122),
    ],
)
def test_comes_back_as_it_was(tmp_path, classes):
    assert read_class_list(tmp_path) is None
    classes.write(tmp_path)
    assert read_class_list(tmp_path) == classes


@pytest.mark.parametrize(
    "change, message",
    [
        ({"task": 3}, "`task` and `modalities`.* Received: 3, 'both'"),
        ({"modalities": "sound"}, "`task` and `modalities` \\(both, image, text\\)"),
        ({"classes": {"a": 1}}, "`classes`, an object of at least two names"),
        ({"classes": {"a": 1, "b": "2"}}, "`classes`, an object of at least two names"),
        ({"classes": None}, "`classes`, an object of at least two names"),
    ],
)
def test_broken_list_is_named(tmp_path, change, message):
    ClassList("catepred", "both", 2, ("a", "b"), (3, 1)).write(tmp_path)
    path = tmp_path / "classes.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=f"classes.json: {message}"):
        read_class_list(tmp_path)
