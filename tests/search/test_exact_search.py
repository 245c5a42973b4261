import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search import exact_search
from kaleido_tf.search.exact_search import ExactSearch
from kaleido_tf.search.index_changes import add_products, delete_products
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.index_writing import IndexSettings, write_index
from tests import small_index
from tests.small_index import block, unit_vectors


def by_hand(index, queries, k, mask=None, corrected=False):
    """Every pair, one by one."""
    vectors = index.vectors_of(np.arange(len(index))).astype(np.float64)
    rows, scores = [], []
    for query in queries.astype(np.float64):
        values = [float(np.float32(sum(v * query))) for v in vectors]
        if corrected:
            hubness = index.hubness_of(np.arange(len(index)))
            values = [float(np.float32(2 * sum(v * query) - h)) for v, h in zip(vectors, hubness)]
        found = []
        for row in sorted(range(len(index)), key=lambda r: (-values[r], r)):
            seen = {index.items[other]["product_id"] for other in found}
            allowed = index.alive[row] and (mask is None or mask[row])
            if allowed and index.items[row]["product_id"] not in seen:
                found.append(row)
        rows.append(found[:k])
        scores.append([values[row] for row in found[:k]])
    return np.array(rows), np.array(scores, np.float32)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("corrected", [False, True])
def test_is_what_a_loop_finds(tmp_path, dtype, corrected):
    small_index.write(tmp_path, 41, photos=3, dtype=dtype, corrected=True)
    new = block(["P002", "N", "M"], seed=3, hubness=np.array([0.1, -0.2, 0.3]))
    add_products(tmp_path, [new], "model")
    delete_products(tmp_path, ["P005", "M"])
    index, queries = open_index(tmp_path), unit_vectors(6, seed=9)
    mask = np.arange(len(index)) % 3 != 1
    for chosen in (None, mask):
        wanted = by_hand(index, queries, 4, chosen, corrected)
        found = ExactSearch(index).search(queries, 4, chosen, corrected)
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_allclose(found[1], wanted[1], rtol=1e-6, atol=1e-7)
    assert ExactSearch(index).search(queries, 4)[1].max() == pytest.approx(
        by_hand(index, queries, 4, None, True)[1].max()
    )


def test_neither_blocks_nor_company_change_a_bit(tmp_path, monkeypatch):
    """Many photos are the same one, so that ties decide."""
    vectors = unit_vectors(40, seed=1)[np.random.default_rng(0).integers(0, 40, 300)]
    parts = [block([f"P{n}" for n in range(300)], vectors=vectors)]
    write_index(tmp_path, lambda done: parts, IndexSettings("model", 7, "float16"), "digest")
    index, queries = open_index(tmp_path), unit_vectors(11, seed=2)
    queries[3] = vectors[17]
    rows, scores = ExactSearch(index).search(queries, 25)
    for size in (7, 7 * 13, 7 * 64, 7 * 299):
        again = ExactSearch(index, block=size).search(queries, 25)
        assert (again[0] == rows).all() and (again[1] == scores).all()
    monkeypatch.setattr(exact_search, "_SCORES", 2 * 300)  # two queries at once
    again = ExactSearch(index).search(queries, 25)
    assert (again[0] == rows).all() and (again[1] == scores).all()
    for number, query in enumerate(queries):
        alone = ExactSearch(index).search(query[None], 25)
        assert (alone[0][0] == rows[number]).all() and (alone[1][0] == scores[number]).all()
    order = np.lexsort((rows, -scores), axis=1)
    assert (order == np.arange(25)).all()  # the first row among equals


def test_constant_vectors_come_in_order(tmp_path):
    vectors = np.tile(unit_vectors(1), [9, 1])
    parts = [block([f"P{n // 2}" for n in range(9)], vectors=vectors)]
    write_index(tmp_path, lambda done: parts, IndexSettings("model", 7), "digest")
    rows, _ = ExactSearch(open_index(tmp_path)).search(unit_vectors(1, seed=4), 4)
    assert rows.tolist() == [[0, 2, 4, 6]]


def test_one_item_and_a_mask_that_leaves_few(tmp_path):
    index = open_index(small_index.write(tmp_path / "one", 1))
    rows, scores = ExactSearch(index).search(unit_vectors(1), 1)
    assert rows.tolist() == [[0]] and scores[0, 0] == pytest.approx(1)
    index = open_index(small_index.write(tmp_path / "nine", 9, photos=2))
    mask = np.zeros(9, bool)
    assert ExactSearch(index).search(unit_vectors(2), 3, mask)[0].shape == (2, 0)
    mask[[4, 5, 8]] = True
    assert ExactSearch(index).search(unit_vectors(2), 3, mask)[0].shape == (2, 2)
    assert ExactSearch(index).search(unit_vectors(0), 3)[0].shape == (0, 3)


def test_wrong_requests(tmp_path):
    search = ExactSearch(open_index(small_index.write(tmp_path, 9, photos=2)))
    query = unit_vectors(1)
    with pytest.raises(InputError, match="must be 1 to 5, those in the index .* Received: 6"):
        search.search(query, 6)
    with pytest.raises(InputError, match="Received: 0"):
        search.search(query, 0)
    with pytest.raises(InputError, match=r"shape \[n, 7\] are needed.* Received: \[1, 6\]"):
        search.search(query[:, :6], 1)
    with pytest.raises(InputError, match=r"Received: length 3 \(query 1"):
        search.search(3 * query, 1)
    with pytest.raises(InputError, match="NaN or infinity"):
        search.search(query * np.nan, 1)
    with pytest.raises(InputError, match="has no hubness to correct scores by"):
        search.search(query, 1, corrected=True)
    with pytest.raises(ValueError, match=r"a mask \[9\] bool"):
        search.search(query, 1, np.ones(8, bool))
