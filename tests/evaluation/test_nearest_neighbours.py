"""Neighbours by hand and against scikit-learn; the choice of how they vote looks at training
examples alone.
"""

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from kaleido_tf.evaluation.classification import macro_f1
from kaleido_tf.evaluation.nearest_neighbours import (
    COUNTS,
    Vote,
    choose_vote,
    held_out_products,
    image_vectors,
    nearest,
    side_by_side,
    text_vectors,
    voted,
)


@pytest.fixture(scope="module")
def drawn():
    """Vectors of length 1 around three centres: training [47, 8] and queries [19, 8]."""
    generator = np.random.default_rng(4)
    labels, asked = generator.integers(0, 3, 47), generator.integers(0, 3, 19)
    centres = generator.normal(size=[3, 8])
    make = lambda of: centres[of] + generator.normal(0, 1.1, [len(of), 8])  # noqa: E731
    vectors = image_vectors(make(labels), make(asked))
    return *vectors, labels, asked


def test_votes_as_an_independent_implementation(drawn):
    training, queries, labels, _ = drawn
    found = nearest(training, queries, 5)
    theirs = KNeighborsClassifier(5, metric="cosine").fit(training, labels)
    np.testing.assert_array_equal(found[0], theirs.kneighbors(queries)[1])
    np.testing.assert_array_equal(voted(*found, labels, 3, Vote(5, 0.0)), theirs.predict(queries))
    assert macro_f1(labels[:19], labels[3:22], 3) == pytest.approx(
        f1_score(labels[:19], labels[3:22], average="macro")
    )


def test_near_neighbours_count_more_and_too_few_are_all():
    training, labels = np.array([[1.0, 0], [0, 1], [0, 1]]), np.array([1, 0, 0])
    found = nearest(training, np.array([[0.9, 0.1]]), 10)
    assert found[0].tolist() == [[0, 1, 2]]  # among equals the earlier one
    assert voted(*found, labels, 2, Vote(10, 0.0)).tolist() == [0]
    assert voted(*found, labels, 2, Vote(10, 10.0)).tolist() == [1]


def test_rare_words_count_and_special_ones_do_not():
    """Of the pieces 5 to 9 the 9 stands in one training text alone, so that it tells nothing."""
    training = np.array([[1, 5, 6, 2], [1, 5, 7, 2], [1, 6, 7, 9], [1, 5, 5, 2]])
    ours, theirs = text_vectors(training, np.array([[1, 5, 9, 2], [1, 0, 0, 2]]), 11, (0, 1, 2))
    assert ours.shape == (4, 3)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, rtol=1e-6)
    assert ours[0, 1] > ours[0, 0]  # 6 is rarer than 5
    np.testing.assert_allclose(theirs, [[1, 0, 0], [0, 0, 0]])
    both = side_by_side([ours, ours])
    np.testing.assert_allclose(both @ both.T, 2 * ours @ ours.T)


def test_the_vote_is_chosen_on_held_out_products_of_training(drawn):
    training, _, labels, _ = drawn
    products = [f"P{number // 2}" for number in range(47)]
    vote = choose_vote(training, labels, products, 3, seed=1)
    held = held_out_products(products, 0.2, 1)
    assert 0 < held.sum() < 12 and all(
        held[n] == held[n + 1] for n in range(0, 46, 2)
    )  # both photos of a product on one side
    found = nearest(training[~held], training[held], max(COUNTS))
    score = lambda v: macro_f1(labels[held], voted(*found, labels[~held], 3, v), 3)  # noqa: E731
    assert score(vote) == max(score(Vote(k, s)) for k in COUNTS for s in (0.0, 10.0))
    assert choose_vote(training[:1], labels[:1], products[:1], 3, seed=1) == Vote(1, 0.0)
