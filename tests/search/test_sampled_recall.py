import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search import sampled_recall
from kaleido_tf.search.gallery_recall import Side
from kaleido_tf.search.sampled_recall import draw_lists, sampled_figures


def side_of(count, texts=None):
    products = [f"P{n}" for n in range(count)]
    return Side(products, texts or products)


def test_draws_hold_the_right_answer_and_no_equal_text():
    texts = [f"text {n // 2}" for n in range(300)]
    side = side_of(300, texts)
    draws = draw_lists(side, side)
    assert len(draws) == 5 and not (draws[0].lists[:, 1:] == draws[1].lists[:, 1:]).all()
    for draw in draws:
        assert draw.queries.tolist() == list(range(300)) and draw.lists.shape == (300, 101)
        assert (draw.lists[:, 0] == draw.queries).all()
        assert (draw.lists[:, 1:] // 2 != draw.queries[:, None] // 2).all()
        assert all(len(set(row)) == 101 for row in draw.lists.tolist())
    again = draw_lists(side, side)
    assert all((a.lists == b.lists).all() for a, b in zip(draws, again))


def test_figures_of_fewer_queries_say_so():
    side = side_of(150)
    generator = np.random.default_rng(0)
    scores = generator.normal(size=[150, 150]) + 2.5 * np.eye(150)
    figures = sampled_figures([scores[:40], scores[40:]], side, side)
    wanted = []
    for draw in draw_lists(side, side):
        found = np.take_along_axis(scores, draw.lists, 1)
        wanted.append((found[:, 1:] < found[:, :1]).all(1).mean())
    assert figures["sampled_150x101_recall_at_1"] == pytest.approx(np.mean(wanted))
    assert figures["sampled_150x101_recall_at_1_spread"] == pytest.approx(np.std(wanted, ddof=1))
    assert figures["sampled_150x101_candidates"] == [101, 101.0, 101]
    assert set(figures) == {
        f"sampled_150x101_{name}"
        for k in (1, 5, 10)
        for name in (f"recall_at_{k}", f"recall_at_{k}_spread", "candidates")
    }


def test_queries_are_drawn_where_there_are_many(monkeypatch):
    monkeypatch.setattr(sampled_recall, "QUERIES", 30)
    side = side_of(110)
    draws = draw_lists(side, side)
    assert len({tuple(draw.queries) for draw in draws}) == 5
    assert all(len(set(draw.queries.tolist())) == 30 for draw in draws)
    figures = sampled_figures([np.eye(110)[:50], np.eye(110)[50:]], side, side)
    assert figures["sampled_30x101_recall_at_1"] == 1
    assert figures["sampled_30x101_recall_at_1_spread"] == 0


def test_constant_scores_give_chance_and_lists_can_be_of_one_kind():
    side = side_of(120)
    figures = sampled_figures([np.zeros([120, 120])], side, side)
    assert figures["sampled_120x101_recall_at_5"] == pytest.approx(5 / 101)
    kinds = ["dress"] * 20 + ["shirt"] * 100
    figures = sampled_figures([np.zeros([120, 120])], side, side, (kinds, kinds))
    assert figures["sampled_120x101_candidates"] == [101, 101.0, 101]
    assert figures["sampled_120x101_recall_at_1"] == pytest.approx(1 / 101)
    for draw in draw_lists(side, side, (kinds, kinds)):
        # Too few of a kind are filled up with others, which are few.
        assert ((draw.lists[:20] < 20).sum(axis=1) == 20).all()
        assert ((draw.lists[20:] >= 20).sum(axis=1) == 100).all()
        assert all(len(set(row)) == 101 for row in draw.lists.tolist())


def test_a_query_alone():
    with pytest.raises(InputError, match="Received none for product P0"):
        sampled_figures([np.zeros([1, 1])], side_of(1), side_of(1))
