"""Whole words of word pieces, and what they are compared by."""

import pytest

from kaleido_tf.text import Tokenizer, Vocabulary
from kaleido_tf.words import stem, words_of

VOCABULARY = Vocabulary()


@pytest.mark.parametrize(
    "words",
    [
        ("stripe", "stripes", "striped"),
        ("dot", "dots", "dotted"),
        ("sleeve", "sleeves", "sleeved"),
        ("dress", "dresses"),
        ("button", "buttons", "buttoned"),
        ("pocket", "pockets"),
        ("body", "bodies"),
        ("zip", "zips", "zipped"),
        ("check", "checks", "checked"),
        ("box", "boxes"),
        ("knit", "knitted", "knits"),
        ("trim", "trimmed", "trimming"),
        ("hoodie", "hoodies"),
        ("beanie", "beanies"),
        ("scarf", "scarves"),
        ("earring", "earrings"),
    ],
)
def test_inflections_agree(words):
    assert len({stem(word) for word in words}) == 1, [stem(word) for word in words]


@pytest.mark.parametrize(
    "one, other",
    [
        ("shorts", "short"),
        ("dress", "dres"),
        ("red", "re"),
        ("bus", "bu"),
        ("sling", "sl"),
        ("toe", "to"),
        ("leggings", "legs"),
        ("earring", "ear"),
        ("lining", "line"),
    ],
)
def test_different_words_stay_different(one, other):
    assert stem(one) != stem(other)


def test_words_are_joined_and_know_their_pieces():
    text = "A Ribbed crew-neck jumper, 100% cotton; zigzags!"
    ids = Tokenizer(VOCABULARY)([text])[0]
    words = words_of(ids, VOCABULARY)
    assert [word.text for word in words] == [
        "a",
        "ribbed",
        "crew",
        "neck",
        "jumper",
        "100",
        "cotton",
        "zigzags",
    ]
    for word in words:
        pieces = [
            VOCABULARY.tokens[number].removeprefix("##") for number in ids[word.start : word.end]
        ]
        assert "".join(pieces) == word.text
    assert words[-1].end - words[-1].start > 1  # several pieces
    assert [word.text for word in words if word.tells_something] == [
        "ribbed",
        "crew",
        "neck",
        "jumper",
        "cotton",
        "zigzags",
    ]


def test_unknown_pieces_and_empty_texts():
    assert words_of([VOCABULARY.unk_id], VOCABULARY) == []
    assert words_of([], VOCABULARY) == []
