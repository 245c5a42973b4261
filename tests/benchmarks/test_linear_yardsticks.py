import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from benchmarks.linear_yardsticks import (
    LinearTowers,
    RidgeScorer,
    WordPatchComparison,
    hub_corrected,
)

WORDS = 12
DEPTH = 9


def products(count, seed):
    """Texts of three different words, and images whose patches show one word each, in any order."""
    draw = np.random.default_rng(seed)
    look = np.random.default_rng(1).normal(size=[WORDS, DEPTH])
    words = np.stack([draw.permutation(WORDS)[:3] for _ in range(count)])
    shown = np.stack([draw.permutation(row) for row in words])
    features = look[shown] + 0.3 * draw.normal(size=[count, 3, DEPTH])
    texts = [" ".join(f"word{word}" for word in row) for row in words]
    return texts, words.tolist(), features.astype(np.float32)


def share_found(scores):
    return np.mean(scores.argmax(axis=1) == np.arange(len(scores)))


@pytest.fixture(scope="module")
def train():
    return products(150, 2)


@pytest.fixture(scope="module")
def test():
    return products(20, 3)  # chance 5%


def test_words_find_their_patches(train, test, monkeypatch):
    monkeypatch.setattr(WordPatchComparison, "BATCH", 30)
    scorer = WordPatchComparison(train[1], train[2], seed=4)
    scores = scorer.score(test[1], test[2])
    assert scores.shape == (20, 20) and share_found(scores) > 0.6
    # A word that no text of training had says nothing; a text of such words alone is no match.
    np.testing.assert_array_equal(scorer.score([[999]], test[2]), np.zeros([1, 20]))
    longer = scorer.score([[*test[1][0], 999]], test[2])
    np.testing.assert_allclose(longer[0], scores[0], rtol=1e-5)


def test_towers_and_ridge_find_more_than_chance(train, test, monkeypatch):
    monkeypatch.setattr(LinearTowers, "BATCH", 30)
    towers = LinearTowers(train[0], train[2], seed=4).score(test[0], test[2])
    ridge = RidgeScorer(train[0], train[2], 1.0).score(test[0], test[2])
    assert towers.shape == ridge.shape == (20, 20)
    assert share_found(towers) > 0.25 and share_found(ridge) > 0.25
    assert np.abs(towers).max() <= 1 + 1e-5


def test_ridge_in_the_dual_is_ridge(train, test):
    texts, _, features = train
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    flat, new = features.reshape(len(features), -1), test[2].reshape(20, -1)
    mean, spread = flat.mean(0), flat.std(0) + 1e-3
    fitted = Ridge(alpha=2.0).fit(words.fit_transform(texts), (flat - mean) / spread)
    predicted, seen = fitted.predict(words.transform(test[0])), (new - mean) / spread
    cosines = predicted @ seen.T
    cosines /= np.linalg.norm(predicted, axis=1)[:, None] * np.linalg.norm(seen, axis=1)
    scores = RidgeScorer(texts, features, 2.0).score(test[0], test[2])
    np.testing.assert_allclose(scores, cosines, atol=1e-4)


def test_correction_for_hubs_by_hand():
    scores = np.array([[0.5, 0.4], [0.6, 0.1]])
    corrected = hub_corrected(
        scores, np.array([[0.2, 0.4, 0.0], [0.1, 0.1, 0.1]]), np.array([[0.9, 0.0], [0.7, 0.2]]), 2
    )
    # 2 s - mean of the text's two largest - mean of the image's two
    np.testing.assert_allclose(
        corrected, [[1.0 - 0.3 - 0.8, 0.8 - 0.3 - 0.1], [1.2 - 0.1 - 0.8, 0.2 - 0.1 - 0.1]]
    )
    # The first image is near to every text: with the correction it is no longer everybody's answer.
    assert scores.argmax(1).tolist() == [0, 0] and corrected.argmax(1).tolist() == [1, 0]
    everything = hub_corrected(scores, np.ones([2, 3]), np.ones([4, 2]), 10)  # fewer than asked for
    np.testing.assert_allclose(everything, 2 * scores - 2)
