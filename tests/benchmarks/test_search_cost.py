import numpy as np

from benchmarks.search_cost import cost, drawn_index, unit_vectors
from kaleido_tf.search.exact_search import ExactSearch


def test_a_search_of_a_drawn_gallery_costs_something(tmp_path):
    index = drawn_index(tmp_path, 31, 6, "float16")
    assert len(index) == 31 and index.manifest.fields == ("category",)
    queries = unit_vectors(np.random.default_rng(0), 3, 6)
    assert 0 < cost(ExactSearch(index), queries, 5) < 1
