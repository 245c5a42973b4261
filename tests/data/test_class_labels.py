"""Classes of records are known by their names, whatever numbers a folder gives them."""

import numpy as np
import pytest

from kaleido_tf.data.class_labels import class_names, counted_classes, labels_of
from kaleido_tf.data.record_table import read_record_table
from kaleido_tf.errors import InputError
from kaleido_tf.files.input_files import find_files
from kaleido_tf.text import Vocabulary
from tests import small_records


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Seven records: kinds 0, 1, 2, 0, ...; the even ones of category 0, the odd ones of 1."""
    change = lambda number: {"category_id": number % 2}  # noqa: E731
    return small_records.write(tmp_path_factory.mktemp("records"), 7, per_shard=4, change=change)


@pytest.fixture(scope="module")
def table(folder):
    files = find_files(str(folder))
    return read_record_table(files, Vocabulary(), 9, small_records.FEATURE_SIZE)


def test_names_come_from_the_list_of_the_folder(folder, table):
    small_records.name_classes(folder, ("coat", "dress", "skirt"), ("long", "short"))
    expected = ["coat", "dress", "skirt", "coat", "dress", "skirt", "coat"]
    assert class_names(table, "subcatepred").tolist() == expected
    expected = ["long", "short", "long", "short", "long", "short", "long"]
    assert class_names(table, "catepred").tolist() == expected


def test_a_name_that_is_listed_twice_takes_its_category(folder, table):
    small_records.name_classes(folder, ("coat", "dress", "coat"), ("long", "short"))
    names = class_names(table, "subcatepred").tolist()
    assert names[:4] == ["long/coat", "dress", "long/coat", "short/coat"]


@pytest.mark.parametrize(
    "names, message",
    [
        (("coat", "dress"), r"`subcategories` must name the class of every record. It lists 2"),
        (("coat", 1, "dress"), r"needs `subcategories`, the list of the names"),
    ],
)
def test_lists_that_do_not_name_every_record_are_refused(folder, table, names, message):
    small_records.name_classes(folder, names)
    with pytest.raises(InputError, match=message):
        class_names(table, "subcatepred")


def test_labels_go_by_name_and_unseen_classes_follow():
    names = np.array(["skirt", "hat", "coat", "boot", "hat"], object)
    labels, unseen = labels_of(names, ("coat", "dress", "skirt"))
    assert labels.tolist() == [2, 4, 0, 3, 4] and unseen == ("boot", "hat")


def test_what_cannot_be_learnt_is_refused():
    assert counted_classes(np.array(["b", "a", "b", "a"], object), "x") == {"a": 2, "b": 2}
    with pytest.raises(InputError, match="at least two classes. records holds 3 of one: 'a'"):
        counted_classes(np.array(["a"] * 3, object), "records")
    with pytest.raises(InputError, match="two training photos a class.*3 classes in 4 photos"):
        counted_classes(np.array(["a", "b", "c", "c"], object), "records")
