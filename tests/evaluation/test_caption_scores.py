"""Caption metrics: values worked out by hand, and pycocoevalcap's own."""

import math

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.caption_scores import CaptionScores
from kaleido_tf.evaluation.caption_tokenizers import meteor, penn_treebank, words

REFERENCES = [
    ["A red V-neck dress in soft jersey.", "Jersey dress with a V-neck, red."],
    ["Blue jeans with five pockets and a zip fly."],
    ["Short-sleeved T-shirt in cotton (100%) with a crew neck!"],
    ["Don't miss: a 2.5 cm belt in grey leather; metal buckle."],
]
CAPTIONS = [
    "A red dress with a V-neck in jersey.",
    "Jeans with five pockets and five pockets.",
    "T-shirt with a crew neck.",
    "A belt in black leather with a metal buckle.",
]


def of(captions, references):
    return CaptionScores(
        [words(text) for text in captions], [[words(t) for t in each] for each in references]
    )


def test_words():
    assert words("A V-neck, 2.5 cm -- don’t; DÉCOLLETÉ (100%)!") == [
        "a",
        "v-neck",
        "2.5",
        "cm",
        "don’t",
        "decollete",
        "100",
    ]


def test_bleu_by_hand():
    scores = of(["a b c d"], [["a b c e f"]])
    # 3 of 4, 2 of 3, 1 of 2, 0 of 1; shorter than its reference by a factor of 5 / 4
    penalty = math.exp(1 - 5 / 4)
    expected = [3 / 4, math.sqrt(3 / 4 * 2 / 3), (3 / 4 * 2 / 3 * 1 / 2) ** (1 / 3), 0]
    assert scores.bleu() == pytest.approx([penalty * value for value in expected])
    assert of(["a a a"], [["a b"]]).bleu()[0] == pytest.approx(1 / 3)  # counted once
    assert of(["a b c d e"], [["a b c d e"]]).bleu() == pytest.approx([1] * 4)
    assert of([""], [["a b"]]).bleu() == [0] * 4


def test_rouge_l_by_hand():
    # "a c e" is common: precision 3 / 4, recall 3 / 5
    expected = (1 + 1.44) * 0.75 * 0.6 / (0.6 + 1.44 * 0.75)
    assert of(["a c x e"], [["a b c d e"]]).rouge_l[0] == pytest.approx(expected)
    assert of(["x"], [["a"]]).rouge_l[0] == 0
    assert of([""], [["a"]]).rouge_l[0] == 0


def test_cider_by_hand():
    scores = of(["a b", "c d"], [["a b"], ["c e"]])
    # Both n-grams of the first are its own; of the second, one word of two, and no pair.
    first = 10 * (1 + 1 + 0 + 0) / 4
    second = 10 * (0.5 + 0) / 4
    assert scores.cider == pytest.approx([first, second])
    assert of(["a b"], [["a b"]]).cider[0] == 0  # nothing is rare among one


def test_a_set_of_examples_is_judged_like_a_corpus_of_them():
    scores = of(CAPTIONS, REFERENCES)
    part = np.array([2, 0, 0])
    alone = of([CAPTIONS[n] for n in part], [REFERENCES[n] for n in part])
    assert scores.bleu(part) == pytest.approx(alone.bleu())
    assert scores.figures(part)["cider"] == pytest.approx(scores.cider[part].mean())


@pytest.mark.parametrize(
    ("captions", "references", "message"),
    [
        ([], [], "0 captions"),
        (["a"], [], "1 captions, references of 0"),
        (["a"], [[]], "number 0"),
        (["a", "b"], [["a"], ["!"]], "number 1"),
    ],
)
def test_captions_need_references(captions, references, message):
    with pytest.raises(InputError, match=message):
        of(captions, references)


def test_pycocoevalcap_agrees():
    """With its own tokenizer, on Java that pip brought."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    flat = [text for each in REFERENCES for text in each]
    tokens = penn_treebank([*CAPTIONS, *flat])
    said, rest = tokens[: len(CAPTIONS)], iter(tokens[len(CAPTIONS) :])
    wanted = [[next(rest) for _ in each] for each in REFERENCES]
    assert said[0] == "a red dress with a v-neck in jersey".split()
    ours = CaptionScores(said, wanted)
    results = {n: [" ".join(tokens)] for n, tokens in enumerate(said)}
    truths = {n: [" ".join(tokens) for tokens in each] for n, each in enumerate(wanted)}
    bleu, _ = Bleu(4).compute_score(truths, results, verbose=0)
    assert ours.bleu() == pytest.approx(bleu, abs=1e-7)  # theirs adds 1e-9 to what it divides by
    assert ours.rouge_l == pytest.approx(Rouge().compute_score(truths, results)[1])
    assert ours.cider == pytest.approx(Cider().compute_score(truths, results)[1])
    whole, each = meteor(said, wanted)
    assert 0 < whole < 1 and len(each) == 4
    assert meteor(said, [[tokens] for tokens in said])[0] == pytest.approx(1.0)
