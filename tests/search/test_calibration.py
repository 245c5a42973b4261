import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search.calibration import (
    expected_calibration_error,
    fit_calibration,
    read_calibration,
)


def drawn(count, slope=12.0, intercept=-4.0, seed=0):
    generator = np.random.default_rng(seed)
    scores = generator.normal(0.4, 0.2, count)
    chance = 1 / (1 + np.exp(-slope * scores - intercept))
    return scores, generator.random(count) < chance


def test_finds_the_curve_that_labels_were_drawn_from():
    scores, labels = drawn(40_000)
    found = fit_calibration(scores, labels, 100)
    assert found.slope == pytest.approx(12, rel=0.05)
    assert found.intercept == pytest.approx(-4, rel=0.05)
    assert found.pairs == 40_000 and found.error < 0.01
    wanted = 1 / (1 + np.exp(-12 * 0.5 + 4))
    assert found.probability(np.array([0.5]), 100)[0] == pytest.approx(wanted, abs=0.02)


def test_is_the_largest_likelihood_of_platt_s_targets():
    scores, labels = drawn(500)
    found, matching = fit_calibration(scores, labels, 100), labels.sum()
    targets = np.where(labels, (matching + 1) / (matching + 2), 1 / (500 - matching + 2))
    rest = found.probability(scores, 100) - targets  # its gradient is 0 there, and nowhere else
    assert rest.sum() == pytest.approx(0, abs=1e-6)
    assert (rest * scores).sum() == pytest.approx(0, abs=1e-6)


def test_rises_with_the_score_and_stays_between_0_and_1():
    found = fit_calibration(*drawn(400), 100)
    values = found.probability(np.linspace(-1e3, 1e3, 999), 100)
    assert (np.diff(values) >= 0).all() and values.min() >= 0 and values.max() <= 1


def test_scores_that_part_the_pairs_without_fault():
    scores = np.r_[np.linspace(0.6, 0.9, 60), np.linspace(0.1, 0.4, 600)]
    found = fit_calibration(scores, np.arange(660) < 60, 100)
    assert np.isfinite([found.slope, found.intercept]).all()
    low, high = found.probability(np.array([0.1, 0.9]), 100)
    assert low < 0.01 and high > 0.9


def test_scores_of_any_unit():
    scores, labels = drawn(400)
    small, large = (
        fit_calibration(scores, labels, 100),
        fit_calibration(1e6 * scores + 1e7, labels, 100),
    )
    np.testing.assert_allclose(
        small.probability(scores, 100), large.probability(1e6 * scores + 1e7, 100), rtol=1e-5
    )


def test_twice_the_gallery_halves_the_odds():
    scores, labels = drawn(600)
    found = fit_calibration(scores, labels, 100)
    p, q = found.probability(scores, 100), found.probability(scores, 200)
    np.testing.assert_allclose(q / (1 - q), p / (1 - p) / 2, rtol=1e-6)


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
    for wrong in ({"slope": -1.0}, {"slope": "steep"}, {"gallery": 0}, {"method": "isotonic"}):
        with pytest.raises(InputError, match="index: its calibration is broken"):
            read_calibration({**found.content(), **wrong}, "index")


def test_pairs_that_are_too_few_or_say_nothing():
    scores, labels = drawn(300)
    for wrong in (np.zeros(300), np.ones(300), np.arange(300) < 49):
        with pytest.raises(
            InputError, match="at least 50 pairs that match and 50 that do not. Rec"
        ):
            fit_calibration(scores, wrong, 100)
    with pytest.raises(InputError, match="scores that are higher where pairs match"):
        fit_calibration(-scores, labels, 100)
    with pytest.raises(InputError, match="scores that are higher"):
        fit_calibration(np.ones(300), labels, 100)
    with pytest.raises(InputError, match="finite scores"):
        fit_calibration(np.where(labels, np.nan, scores), labels, 100)
    with pytest.raises(ValueError, match=r"\[n\] scores, \[n\] labels"):
        fit_calibration(scores, labels[:-1], 100)
