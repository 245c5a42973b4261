import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search.calibration import (
    SHOWN,
    Calibration,
    expected_calibration_error,
    fit_calibration,
    read_calibration,
)


def drawn(queries, slope=9.0, rest=5.0, answers=7, seed=0):
    """Scores, and which answer was meant, drawn from the shares that these two numbers give."""
    generator = np.random.default_rng(seed)
    scores = -np.sort(-generator.normal(0.4, 0.2, [queries, answers]), axis=1)
    shares = np.exp(np.column_stack([slope * scores, np.full(queries, rest)]))
    shares /= shares.sum(axis=1, keepdims=True)
    meant = (generator.random([queries, 1]) > np.cumsum(shares, axis=1)).sum(axis=1)
    return scores, np.arange(answers) == meant[:, None]


def test_finds_the_numbers_that_answers_were_drawn_from():
    scores, right = drawn(20_000)
    found = fit_calibration(scores, right, 100)
    assert found.slope == pytest.approx(9, rel=0.05)
    assert found.rest == pytest.approx(5, rel=0.05)
    assert found.queries == 20_000 and found.error < 0.01
    told = found.probability(scores, 100)
    np.testing.assert_allclose(told.mean(axis=0), right.mean(axis=0), atol=0.01)
    wanted = np.exp(9 * scores[0]) / (np.exp(9 * scores[0]).sum() + np.exp(5))
    np.testing.assert_allclose(told[0], wanted, atol=0.02)


def test_a_score_among_many_as_good_says_less():
    found = Calibration(9.0, 5.0, 100, 100, 0.0)
    alone = found.probability(np.array([0.9, 0.1, 0.1]), 100)
    among = found.probability(np.array([0.9, 0.9, 0.9]), 100)
    assert alone[0] > 2 * among[0] and among.sum() < 1


def test_answers_behind_the_first_do_not_change_what_those_say():
    found = Calibration(9.0, 5.0, 100, 100, 0.0)
    scores = np.linspace(0.9, 0.1, SHOWN + 5)
    more, fewer = found.probability(scores, 100), found.probability(scores[:SHOWN], 100)
    np.testing.assert_allclose(more[:SHOWN], fewer)
    assert (np.diff(more) < 0).all()


def test_answers_chosen_by_a_filter_compete_with_all():
    found = Calibration(9.0, 5.0, 100, 100, 0.0)
    everything = np.array([0.9, 0.7, 0.5])
    chosen = found.probability(everything[1:], 100, everything)
    np.testing.assert_allclose(chosen, found.probability(everything, 100)[1:])
    assert chosen[0] < found.probability(everything[1:], 100)[0]


def test_stays_between_0_and_1_and_rises_with_the_score():
    found = fit_calibration(*drawn(400), 100)
    told = found.probability(np.linspace(1e3, -1e3, 11), 100)
    assert np.isfinite(told).all() and told.min() >= 0 and told.max() <= 1
    assert (np.diff(told) <= 0).all()


def test_first_answers_that_are_always_right():
    scores = np.tile([0.9, 0.3, 0.2], (60, 1))
    found = fit_calibration(scores, np.tile([True, False, False], (60, 1)), 10)
    assert np.isfinite([found.slope, found.rest]).all()
    assert 0.9 < found.probability(scores[0], 10)[0] < 1


def test_scores_of_any_unit():
    scores, right = drawn(400)
    small = fit_calibration(scores, right, 100)
    large = fit_calibration(1e6 * scores + 1e7, right, 100)
    np.testing.assert_allclose(
        small.probability(scores, 100), large.probability(1e6 * scores + 1e7, 100), rtol=1e-5
    )


def test_in_a_larger_gallery_a_match_is_less_probable():
    scores, right = drawn(600)
    found = fit_calibration(scores, right, 100)
    p, q = found.probability(scores, 100), found.probability(scores, 200)
    rest, more = 1 - p.sum(axis=1), 1 - q.sum(axis=1)
    np.testing.assert_allclose(more / (1 - more), 2 * rest / (1 - rest), rtol=1e-6)


def test_calibration_error_by_hand():
    # ten bins of two: probability .5 with one match of two everywhere, but for the last bin
    labels = np.array([0, 1] * 9 + [0, 0])
    probabilities = np.r_[np.full(18, 0.5), np.full(2, 0.9)]
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.09)
    assert expected_calibration_error(np.array([1.0, 0.0]), np.array([1, 0])) == 0


def test_in_the_manifest_and_back():
    found = fit_calibration(*drawn(300), 100)
    assert read_calibration(found.content(), "index") == found
    with pytest.raises(InputError, match="index has none"):
        read_calibration(None, "index")
    for wrong in ({"slope": -1.0}, {"slope": "steep"}, {"gallery": 0}, {"method": "platt"}):
        with pytest.raises(InputError, match="index: its calibration is broken"):
            read_calibration({**found.content(), **wrong}, "index")


def test_queries_that_are_too_few_or_say_nothing():
    scores, right = drawn(300)
    for wrong in (
        np.zeros_like(right),
        np.ones_like(right),
        right & (np.arange(300) < 49)[:, None],
    ):
        with pytest.raises(InputError, match="at least 50 held-out queries with a right answer"):
            fit_calibration(scores, wrong, 100)
    with pytest.raises(InputError, match="scores that are higher where answers are right"):
        fit_calibration(-scores, right, 100)
    with pytest.raises(InputError, match="finite scores"):
        fit_calibration(np.where(right, np.nan, scores), right, 100)
    with pytest.raises(ValueError, match=r"two of \[Q, k\]"):
        fit_calibration(scores, right[:-1], 100)
