import builtins

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.faiss_search import FaissSearch, recall
from kaleido_tf.search.index_changes import add_products, delete_products
from kaleido_tf.search.index_folder import open_index
from tests import small_index
from tests.small_index import block, unit_vectors


@pytest.fixture
def index(tmp_path):
    small_index.write(tmp_path, 250, photos=3, dtype="float16", corrected=True)
    add_products(tmp_path, [block(["P002", "N"], seed=3, hubness=np.array([0.1, -0.2]))], "model")
    delete_products(tmp_path, ["P005", "P070"])
    return open_index(tmp_path)


@pytest.mark.parametrize("corrected", [False, True])
def test_flat_finds_what_the_exact_search_finds(index, corrected):
    queries = unit_vectors(12, seed=9)
    flat, mask = FaissSearch(index), np.arange(len(index)) % 5 != 1
    for chosen in (None, mask, np.arange(len(index)) == 8, np.zeros(len(index), bool)):
        wanted = ExactSearch(index).search(queries, 6, chosen, corrected)
        found = flat.search(queries, 6, chosen, corrected)
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_array_equal(found[1], wanted[1])
    assert recall(flat, queries, 6, mask) == 1.0


def test_hnsw_finds_most(index):
    queries = unit_vectors(12, seed=9)
    hnsw = FaissSearch(index, "hnsw", links=8, breadth=40)
    assert 0.9 <= recall(hnsw, queries, 6) <= 1
    assert recall(hnsw, queries, 6, np.arange(len(index)) % 2 == 0) >= 0.8
    rows, scores = hnsw.search(queries, 6)
    exact = dict(zip(*(a[0].tolist() for a in ExactSearch(index).search(queries[:1], 20))))
    assert all(exact.get(row, score) == score for row, score in zip(rows[0].tolist(), scores[0]))


def test_wrong_requests(index, monkeypatch):
    with pytest.raises(InputError, match="flat or hnsw. Received: ivf"):
        FaissSearch(index, "ivf")
    with pytest.raises(InputError, match="must be 1 to 83, .* Received: 99"):
        FaissSearch(index).search(unit_vectors(1), 99)
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "faiss":
            raise ImportError
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"FAISS is needed .* pip install -e '.\[faiss\]'"):
        FaissSearch(index)
