"""The paired bootstrap: against a closed form, by product, and its words."""

import numpy as np
import pytest

from kaleido_tf.evaluation.verdict import compare, interval_of, resamples


def verdict(yardstick, model, products):
    return compare("hits", *(lambda n, x=x: x[n].mean() for x in (yardstick, model)), products)


@pytest.fixture(scope="module")
def hits():
    """[400] of two predictors that agree on most examples; the second is 8 points better."""
    generator = np.random.default_rng(0)
    first = generator.random(400) < 0.6
    second = first.copy()
    second[np.flatnonzero(~first)[:32]] = True
    return first.astype(float), second.astype(float)


def test_interval_is_that_of_the_paired_difference(hits):
    found = verdict(*hits, range(400))
    difference = hits[1] - hits[0]
    error = 1.96 * difference.std() / 20
    assert found.difference == pytest.approx(0.08)
    np.testing.assert_allclose(found.interval, [0.08 - error, 0.08 + error], atol=4e-3)
    assert found.word == "better" and "the model is better than not training" in str(found)
    assert verdict(*hits[::-1], range(400)).word == "worse"
    assert found == verdict(*hits, range(400))  # always the same resamples


def test_small_difference_of_few_examples_is_none(hits):
    first = hits[0][:30]
    second = first.copy()
    second[[int(first.argmax()), int(first.argmin())]] = 0.0, 1.0  # one lost, one won
    second[int(first[::-1].argmin())] = 1.0
    found = verdict(first, second, range(30))
    assert found.word == "no difference"
    assert "no difference that 30 examples could show" in str(found)
    assert found.content()["verdict"] == "no difference" and found.content()["examples"] == 30


def test_examples_of_a_product_are_drawn_together(hits):
    products = [f"P{number // 4}" for number in range(400)]
    for numbers in resamples(products)[:3]:
        assert len(numbers) == 400
        counts = np.bincount(numbers, minlength=400).reshape(100, 4)
        assert (counts == counts[:, :1]).all()
    equal = np.repeat(hits[0][:100], 4)  # four photos say no more than one
    low, high = interval_of(lambda n: equal[n].mean(), products)
    alone = interval_of(lambda n: equal[n].mean(), range(400))
    assert high - low > 1.7 * (alone[1] - alone[0])
