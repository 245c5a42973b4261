import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.serving.answers import Found, Query
from kaleido_tf.serving.found_table import NOTHING_FOUND, found_table

PHOTO = object()


@pytest.mark.parametrize(
    "query, message",
    [
        (Query(), "Received: none of them"),
        (Query(text="a", like="P1"), "Received: text and like"),
        (Query(photo=PHOTO, like="P1"), "Received: photo and like"),
        (Query(text=" \n"), "Words are needed"),
        (Query(text="a", top=0), "At least one product must be asked for. Received: 0"),
        (Query(text="a", rerank=-1), "or none. Received: -1"),
        (Query(text="a", top=9, rerank=8), r"as are asked for \(9\), or none. Received: 8"),
        (Query(like="P1", rerank=3), "Scoring again is for words and photos"),
        (Query(text="a", min_probability=1.5), "between 0 and 1 is needed. Received: 1.5"),
        (Query(text="a", min_probability=float("nan")), "between 0 and 1 is needed"),
    ],
)
def test_what_no_index_can_answer(query, message):
    with pytest.raises(InputError, match=message):
        query.check()


def test_what_can_be_asked():
    for query in (
        Query(text="a"),
        Query(photo=PHOTO),
        Query(text="a", photo=PHOTO, top=3, rerank=3),
        Query(like="P1", filter="colour=red"),
        Query(text="a", rerank=5),
    ):
        query.check()


def test_the_table_tells_probabilities_where_there_are_any():
    one = Found("P1", "P1_1", {"title": "t" * 50, "category": "Shoes"}, 0.123456, 0.4567)
    other = Found("P2", "P2_1", {"title": "b"}, 0.1)
    header, line = found_table([one]).splitlines()
    assert header.split() == ["score", "match", "product_id", "title", "category", "subcategory"]
    assert line.split() == ["1", "0.123", "45.7%", "P1", "t" * 39 + "…", "Shoes"]
    assert "match" not in found_table([other])
    assert found_table([]) == NOTHING_FOUND
