import numpy as np

from kaleido_tf.search.filters import mask_of
from kaleido_tf.search.index_folder import open_index
from kaleido_tf.search.index_writing import IndexSettings, write_index
from kaleido_tf.serving.page_server.facets import MOST, facets_of
from tests import small_index

PRODUCTS = 2 * MOST + 6


def index_of(folder, **fields):
    names = [f"P{number:03d}" for number in range(PRODUCTS)]
    block = small_index.block([names[0], *names], **fields)
    settings = IndexSettings("model", small_index.DIMENSION, "float32")
    write_index(folder, lambda done: [block], settings, "facets")
    return open_index(folder)


def cycled(*values):
    """The first product has two photos."""
    numbers = [0, *range(PRODUCTS)]
    return [values[number % len(values)] for number in numbers]


def test_every_value_that_is_offered_is_a_filter_that_finds_as_many(tmp_path):
    index = index_of(
        tmp_path,
        size=cycled(36, 38.0, None),
        sale=cycled(True, False),
        tags=cycled(["warm", "new"], ["new"], []),
        cut=cycled("Slim, fit", 'so "wide"', "a|b", "slim, FIT"),
    )
    facets = {facet.name: facet.as_json()["values"] for facet in facets_of(index)}
    assert list(facets) == ["cut", "sale", "size", "tags"]
    assert [value["value"] for value in facets["size"]] == ["36", "38"]
    assert {value["value"] for value in facets["cut"]} == {"Slim, fit", 'so "wide"', "a|b"}
    for value in (value for values in facets.values() for value in values):
        rows = mask_of(index, value["filter"])
        assert len(np.unique(index.products[rows])) == value["products"]


def test_fields_that_choose_nothing_are_left_out(tmp_path):
    index = index_of(
        tmp_path,
        title=cycled(*map(str, range(PRODUCTS))),
        many=cycled(*map(str, range(MOST + 1))),
        long=cycled("x" * 70, "y"),
        one="same",
        empty=cycled(None, " "),
        **{"a,b": cycled("x", "y"), " c": cycled("x", "y"), "fine": cycled(*map(str, range(MOST)))},
    )
    assert [facet.name for facet in facets_of(index)] == ["fine"]
