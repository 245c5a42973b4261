import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.verdict import interval_of
from kaleido_tf.search.gallery_recall import Side, full_gallery_figures, mean_of_six


def test_products_with_equal_texts_are_right_answers():
    # B and C share their text; the photo of B finds the text of C before its own
    products, texts = ["A", "B", "C"], ["a coat", "a dress", "a dress"]
    scores = np.array([[0.9, 0.1, 0.1], [0.5, 0.2, 0.8], [0.7, 0.6, 0.1]])
    side = Side(products, texts)
    figures = full_gallery_figures([scores[:1], scores[1:]], side, side)
    assert figures["full_recall_at_1"] == pytest.approx(2 / 3)
    assert figures["full_own_recall_at_1"] == pytest.approx(1 / 3)
    assert figures["full_median_rank"] == 1 and figures["full_own_median_rank"] == 3
    assert (figures["full_queries"], figures["full_gallery"]) == (3, 3)
    assert figures["full_equal_text_queries"] == 2
    assert figures["full_recall_at_50"] == figures["full_own_recall_at_5"] == 1


def test_a_product_with_several_photos_is_found_by_its_best():
    queries = Side(["A", "B"], ["a", "b"])
    gallery = Side(["B", "A", "A", "B", "C"], ["b", "a", "a", "b", "c"])
    scores = np.array([[0.5, 0.1, 0.9, 0.2, 0.3], [0.1, 0.2, 0.3, 0.4, 0.5]])
    figures = full_gallery_figures([scores], queries, gallery)
    assert figures["full_recall_at_1"] == 0.5 and figures["full_median_rank"] == 1.5
    assert figures["full_equal_text_queries"] == 0


def test_intervals_are_those_of_the_verdicts():
    generator = np.random.default_rng(0)
    products = [f"P{n // 3}" for n in range(60)]
    side = Side(products, products)
    scores = generator.normal(size=[60, 60]) + 2 * np.eye(60)
    figures = full_gallery_figures([scores], side, side)
    best = np.array([products[row] for row in scores.argmax(1)]) == np.array(products)
    assert figures["full_recall_at_1"] == best.mean()
    wanted = interval_of(lambda numbers: best[numbers].mean(), products)
    assert figures["full_recall_at_1_interval"] == pytest.approx(list(wanted))
    low, high = figures["full_median_rank_interval"]
    assert 1 <= low <= figures["full_median_rank"] <= high


def test_constant_scores_give_chance():
    side = Side([f"P{n}" for n in range(40)], [f"text {n}" for n in range(40)])
    figures = full_gallery_figures([np.ones([40, 40])], side, side)
    assert figures["full_recall_at_1"] == pytest.approx(1 / 40)
    assert figures["full_own_recall_at_10"] == pytest.approx(1 / 4)
    assert figures["full_median_rank"] == 20.5


def test_the_mean_of_six_recalls():
    one = {"full_recall_at_1": 0.1, "full_recall_at_5": 0.2, "full_recall_at_10": 0.3}
    two = {"full_recall_at_1": 0.3, "full_recall_at_5": 0.4, "full_recall_at_10": 0.5}
    assert mean_of_six({"img2txt": one, "txt2img": two}) == {
        "full_mean_of_six_recalls": pytest.approx(0.3)
    }


def test_a_query_without_a_right_answer():
    with pytest.raises(InputError, match="needs a right answer in the gallery"):
        full_gallery_figures([np.eye(2)], Side(["A", "B"], "ab"), Side(["A", "C"], "ac"))
