"""What a text says of each thing: heads, options, denials."""

import pytest

from data_prep.alignment.phrases import ABSENT, options_of, phrases_of
from kaleido_tf.text import Tokenizer, Vocabulary

VOCABULARY = Vocabulary()


def said(text):
    phrases = phrases_of(Tokenizer(VOCABULARY)([text])[0], VOCABULARY)
    return [(phrase.head.text, phrase.option) for phrase in phrases]


@pytest.mark.parametrize(
    "text, phrases",
    [
        ("Short sleeves and a round neckline.", [("sleeves", "short"), ("neckline", "round")]),
        ("No belt, with a zip", [("belt", ABSENT), ("zip", "")]),
        (
            "without side pockets or belt. A hood",
            [("pockets", ABSENT), ("belt", ABSENT), ("hood", "")],
        ),
        ("no collar and long sleeves", [("collar", ABSENT), ("sleeves", "long")]),
        ("a V-neck with two buttons", [("neck", "v"), ("buttons", "two")]),
        ("a stripe along the hem", [("stripe", ""), ("hem", "")]),
        ("with the and. 5 , no", []),
        ("", []),
    ],
)
def test_phrases(text, phrases):
    assert said(text) == phrases


def test_phrases_know_their_pieces():
    ids = Tokenizer(VOCABULARY)(["a coat with short sleeves"])[0]
    (_, sleeves) = phrases_of(ids, VOCABULARY)
    assert (sleeves.head.start, sleeves.head.end) == (4, 5)


def test_what_is_there_outweighs_a_denial():
    ids = Tokenizer(VOCABULARY)(["A patch pocket. No belt, no pocket, wide legs, slim legs"])[0]
    options = options_of(phrases_of(ids, VOCABULARY))
    assert options == {"pocket": "patch", "belt": ABSENT, "leg": "slim"}
