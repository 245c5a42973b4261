import random
import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.export.text_graph import TextGraph
from kaleido_tf.text import Tokenizer, Vocabulary, sequence

LENGTH = 40
TEXTS = {
    "empty": ("", " ", "\t\n", "\u0301"),
    "accents": ("Åéîõü ÇŞĞ", "A\u0301e\u0302", "İstanbul ŞIŞLI", "ﬁne ½ …"),
    "sigma": (
        "ΟΔΟΣ ΟΔΟΣ.",
        "Σ ΑΣ\u0301Β ΑΣ\u0301",
        "Α\u00adΣ\u00ad Α\x01Σ\x01Β",
        "A\u0345Σ x\u200bΣ",
    ),
    "long words": ("x" * 200, "x" * 201, "x" * 199 + "-" + "y" * 201 + "z", "é" * 201),
    "grow or shrink to long words": ("가" * 100, "x" * 150 + "\u0301" * 60, "x" * 150 + "\0" * 60),
    "many words without blanks": ("中" * 250, "ab中cd" * 50, "x" * 150 + "\x85" + "y" * 150),
    "other scripts": ("한국어 옷", "Ａ Ｂ", "連衣裙 red", "👗 dress 👩‍👩‍👧", "𝐀𝐁", "\U000e0100a"),
    "controls": ("a\x00b\x01c", "\ufeffhi \ufffd", "a\u2028b\u2029c\u00a0d\u3000e", "\ue000"),
    "special tokens": ("[PAD] [CLS] [MASK]", "##ing", "it's 50% off: $9.99!"),
}


@pytest.fixture(scope="module")
def both():
    vocabulary = Vocabulary()
    tokenizer, graph = Tokenizer(vocabulary), TextGraph(vocabulary, LENGTH)
    signature = [tf.TensorSpec([None], tf.string)]
    function = tf.function(graph.__call__, signature, autograph=False)

    def ids(texts):
        expected = [sequence(ids, LENGTH, vocabulary)[0] for ids in tokenizer(list(texts))]
        return function([text.encode() for text in texts]).numpy(), np.stack(expected)

    return ids


@pytest.mark.parametrize("kind", TEXTS)
def test_odd_texts_have_the_ids_of_the_tokenizer(both, kind):
    found, expected = both(TEXTS[kind])
    np.testing.assert_array_equal(found, expected)


def test_any_character_anywhere(both):
    draw = random.Random(1)
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    there = [c for c in every if unicodedata.category(c) not in ("Cn", "Co")]
    texts = [f"a{c}b {c} {c}Σ A{c}Σ" for c in draw.sample(there, 4000) + draw.sample(every, 500)]
    mixed = "abc DEF.Σσ-éÅ "
    texts += [
        "".join(draw.choice(draw.choice((there, mixed, mixed))) for _ in range(draw.randrange(90)))
        for _ in range(400)
    ]
    found, expected = both(texts)
    different = (found != expected).any(axis=1)
    assert not different.any(), [ascii(t) for t, d in zip(texts, different) if d][:3]


def test_no_text_at_all_and_bytes_that_are_no_utf8(both):
    assert both([" "])[0].shape == (1, LENGTH)
    graph = TextGraph(Vocabulary(), LENGTH)
    assert graph(tf.zeros([0], tf.string)).shape == (0, LENGTH)
    np.testing.assert_array_equal(graph(tf.constant([b"a\xffb"])), graph(tf.constant([b"ab"])))
