import math

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.search.text_baseline import TextSearch

TEXTS = ["Red dress, red belt", "blue dress", "A V-neck shirt", ""]


def test_scores_by_hand():
    # four texts of 4, 2, 3 and 0 words: 2.25 in the mean. "red": one text, twice in it
    rarity = math.log(1 + (4 - 1 + 0.5) / (1 + 0.5))
    red = rarity * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 4 / 2.25))
    rarity = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))
    dress = [rarity * 2.2 / (1 + 1.2 * (0.25 + 0.75 * length / 2.25)) for length in (4, 2)]
    search = TextSearch(TEXTS)
    np.testing.assert_allclose(search.scores("RED dress!"), [red + dress[0], dress[1], 0, 0], 1e-6)
    np.testing.assert_allclose(search.scores("red red"), [2 * red, 0, 0, 0], 1e-6)


def test_the_best_texts_first():
    search = TextSearch(TEXTS)
    assert search.search("red dress", 4)[0].tolist() == [0, 1]
    assert search.search("v-neck", 2)[0].tolist() == [2]
    assert search.search("dress", 1)[0].tolist() == [1]  # the shorter text
    assert search.search("dress", 2, np.array([True, False, True, True]))[0].tolist() == [0]
    assert search.search("hat", 2)[0].shape == (0,)
    twice = TextSearch(["coat", "coat", "coat long"])
    assert twice.search("coat", 3)[0].tolist() == [0, 1, 2]
    assert twice.search("coat", 3, products=np.array([5, 5, 2]))[0].tolist() == [0, 2]


def test_other_words():
    assert TextSearch(["dresses"], lambda text: [text[:5]]).search("dress", 1)[0].tolist() == [0]


def test_wrong_requests():
    with pytest.raises(InputError, match="At least one text"):
        TextSearch([])
    with pytest.raises(InputError, match="1 to 4 texts can be asked for. Received: 5"):
        TextSearch(TEXTS).search("dress", 5)
