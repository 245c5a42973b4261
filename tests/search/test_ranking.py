import numpy as np
import pytest

from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.index_writing import IndexSettings, write_index
from kaleido_tf.search.ranking import best_products, exact_scores
from tests.small_index import block, unit_vectors


def test_the_best_photo_of_each_product():
    rows, scores = np.array([6, 2, 9, 4, 1]), np.array([0.5, 0.7, 0.7, 0.9, 0.5])
    products = np.array([0, 3, 5, 0, 5, 0, 7, 0, 0, 8])
    found = best_products(rows, scores, products, 3)
    assert found[0].tolist() == [4, 9, 1] and found[1].dtype == np.float32
    found = best_products(rows, scores, products, 5)
    assert found[0].tolist() == [4, 9, 1, 6, -1] and found[1][-1] == -np.inf


@pytest.mark.parametrize("dimension", [3, 64, 257])
def test_scores_do_not_depend_on_what_is_computed_beside(tmp_path, dimension):
    vectors = unit_vectors(33, 0, dimension)
    parts = [block([f"P{n}" for n in range(33)], vectors=vectors, hubness=np.arange(33) / 7)]
    settings = IndexSettings("model", dimension, "float16", True)
    write_index(tmp_path, lambda done: parts, settings, "digest")
    index, query = open_index(tmp_path), unit_vectors(1, 5, dimension)[0]
    for corrected in (False, True):
        whole = exact_scores(index, query, np.arange(33), corrected)
        for rows in (np.array([32]), np.array([7, 3]), np.arange(1, 33, 2)):
            assert (exact_scores(index, query, rows, corrected) == whole[rows]).all()
