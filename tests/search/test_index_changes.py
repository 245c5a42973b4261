import os
import pathlib

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search import index_changes
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.index_changes import (
    add_products,
    compact,
    delete_products,
    store_calibration,
)
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.manifest import read_manifest
from tests import small_index
from tests.small_index import block

PLAIN = {"embeddings.npy", "items.jsonl", "manifest.json", "settings.json"}


def living(folder):
    """(product, first number of the vector) of each photo that a search sees."""
    index = open_index(folder)
    vectors = index.vectors_of(np.arange(len(index)))
    return [
        (index.items[row]["product_id"], float(vectors[row, 0]))
        for row in np.flatnonzero(index.alive)
    ]


def test_add_replace_delete_and_an_open_reader(tmp_path):
    small_index.write(tmp_path, 9, photos=2)
    before = open_index(tmp_path)
    new = small_index.unit_vectors(3, seed=5)
    add_products(tmp_path, [block(["P001", "P001", "N"], vectors=new, sole="flat")], "model")
    after = open_index(tmp_path)
    assert (len(before), before.alive.sum()) == (9, 9) and (len(after), after.alive.sum()) == (
        12,
        10,
    )
    assert np.flatnonzero(~after.alive).tolist() == [2, 3]
    assert after.manifest.fields == ("colour", "price", "sole") and after.manifest.generation == 2
    delete_products(tmp_path, ["P000", "N"])
    assert [product for product, _ in living(tmp_path)] == [
        "P002",
        "P002",
        "P003",
        "P003",
        "P004",
    ] + (["P001"] * 2)
    assert [first for product, first in living(tmp_path)][-2:] == new[:2, 0].tolist()
    assert before.items[8]["product_id"] == "P004" and len(before.products) == 9
    assert after.alive.sum() == 10


def test_compact_makes_a_fresh_index_of_it(tmp_path):
    small_index.write(tmp_path, 9, photos=2, corrected=True)
    added = [
        block(["P003", "N"], hubness=np.array([0.5, 0.25]), vectors=small_index.unit_vectors(2, 3))
    ]
    add_products(tmp_path, added, "model")
    delete_products(tmp_path, ["P000"])
    was, before = living(tmp_path), open_index(tmp_path)
    manifest = compact(tmp_path)
    assert living(tmp_path) == was and manifest.count == 7 and manifest.deleted == 0
    assert len(np.load(tmp_path / "embeddings.npy")) == 7
    assert np.load(tmp_path / "hubness.npy")[-2:].tolist() == [0.5, 0.25]
    assert {path.name for path in tmp_path.iterdir()} == PLAIN | {"hubness.npy"}
    assert compact(tmp_path) == manifest
    # the reader that was open still finds what it found
    assert len(before.items[10]["product_id"]) and before.vectors_of(np.array([10])).any()
    rows, _ = ExactSearch(before).search(small_index.unit_vectors(2, 3)[1:], 1, corrected=False)
    assert before.items[rows[0, 0]]["product_id"] == "N"


def test_a_change_that_is_killed_has_not_happened(tmp_path, monkeypatch):
    small_index.write(tmp_path, 9)
    was = living(tmp_path)

    def parts():
        yield block(["P001"])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_products(tmp_path, parts(), "model")
    assert {path.name for path in tmp_path.iterdir()} == PLAIN
    with pytest.raises(InputError, match="Vectors of length 1"):
        add_products(tmp_path, [block(["P001"]), block(["N"], vectors=np.ones([1, 7]))], "model")
    assert living(tmp_path) == was and {path.name for path in tmp_path.iterdir()} == PLAIN


@pytest.mark.parametrize("moment", [0, 1, 2, 3])
def test_compact_killed_at_any_moment(tmp_path, monkeypatch, moment):
    """At each of its writes: two publications, and two files that get a second name."""
    small_index.write(tmp_path, 9)
    delete_products(tmp_path, ["P002"])
    was, seen = living(tmp_path), []

    def killed(function):
        def wrapper(*args, **kwargs):
            seen.append(function)
            if len(seen) == moment + 1:
                raise KeyboardInterrupt
            return function(*args, **kwargs)

        return wrapper

    for name in ("publish", "_same_file"):
        monkeypatch.setattr(index_changes, name, killed(getattr(index_changes, name)))
    with pytest.raises(KeyboardInterrupt):
        compact(tmp_path)
    assert living(tmp_path) == was
    compact(tmp_path)
    assert len(seen) > moment + 1 and living(tmp_path) == was
    assert {path.name for path in tmp_path.iterdir()} == PLAIN


def test_file_systems_without_second_names(tmp_path, monkeypatch):
    def refused(source, target):
        raise PermissionError

    monkeypatch.setattr(os, "link", refused)
    small_index.write(tmp_path, 9)
    delete_products(tmp_path, ["P002"])
    was = living(tmp_path)
    compact(tmp_path)
    assert living(tmp_path) == was and {path.name for path in tmp_path.iterdir()} == PLAIN


def test_what_a_killed_process_left_goes_with_the_next_change(tmp_path):
    small_index.write(tmp_path, 9)
    for name in ("segment-000002.npy", "deleted-000002.npy", "items.jsonl.partial", "notes.txt"):
        (tmp_path / name).write_text("left")
    delete_products(tmp_path, ["P001"])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == PLAIN | {"deleted-000002.npy", "notes.txt"} and len(living(tmp_path)) == 8


def test_refused_changes(tmp_path):
    small_index.write(tmp_path, 3)
    with pytest.raises(InputError, match="Not there: X, Y"):
        delete_products(tmp_path, ["P001", "X", "Y"])
    with pytest.raises(InputError, match="vectors of the model model. Received: those of other"):
        add_products(tmp_path, [block(["A"])], "other")
    with pytest.raises(InputError, match="At least one photo to add"):
        add_products(tmp_path, [], "model")
    assert read_manifest(pathlib.Path(tmp_path)).generation == 1
    delete_products(tmp_path, ["P001"])
    with pytest.raises(InputError, match="Not there: P001"):
        delete_products(tmp_path, ["P001"])
    delete_products(tmp_path, ["P000", "P002"])
    with pytest.raises(InputError, match="All products .* are deleted"):
        compact(tmp_path)
    with pytest.raises(InputError, match="1 to 0, those in the index"):
        ExactSearch(open_index(tmp_path)).search(small_index.unit_vectors(1), 1)
    with pytest.raises(InputError, match="was changed since it was written .generation 3"):
        small_index.write(tmp_path, 3)
    add_products(tmp_path, [block(["P001"])], "model")
    assert [product for product, _ in living(tmp_path)] == ["P001"]


def test_a_calibration_is_kept(tmp_path):
    small_index.write(tmp_path, 3)
    delete_products(tmp_path, ["P001"])
    store_calibration(tmp_path, {"slope": 2.0})
    manifest = open_index(tmp_path).manifest
    assert manifest.calibration == {"slope": 2.0} and manifest.deleted == 1
    assert compact(tmp_path).calibration == {"slope": 2.0}


def test_a_reader_that_opens_during_a_change_sees_one_state(tmp_path, monkeypatch):
    from kaleido_tf.search import index_folder

    small_index.write(tmp_path, 9)
    real, calls = index_folder.check_sizes, []

    def changed_meanwhile(folder, segments):
        calls.append(len(segments))
        if len(calls) == 1:
            monkeypatch.setattr(index_folder, "check_sizes", real)
            delete_products(tmp_path, ["P001"])
            compact(tmp_path)
            monkeypatch.setattr(index_folder, "check_sizes", changed_meanwhile)
        return real(folder, segments)

    monkeypatch.setattr(index_folder, "check_sizes", changed_meanwhile)
    assert len(open_index(tmp_path)) == 8 and len(calls) == 2
