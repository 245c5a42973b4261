import collections
import re

import pytest

from data_prep.attributes.attribute_words import can_be_attribute, count_attributes

TEXTS = [
    "A soft woolly dress with soft sleeves, made for you.",
    "Soft DRESS (v-neck) featuring softly embroidered sleeves -- 100% wool",
    "Perfectly soft; v-neck top, size 3XL. It keeps you warm",
]


@pytest.mark.parametrize("word", ["dress", "soft", "v-neck", "embroidered", "fly", "crêpe", "top"])
def test_what_names_a_garment_or_what_it_is_like(word):
    assert can_be_attribute(word)


@pytest.mark.parametrize(
    "word", ["the", "with", "featuring", "made", "slightly", "perfectly", "two", "3xl", "xs", "2"]
)
def test_what_is_left_out(word):
    assert not can_be_attribute(word)


def test_counts_are_those_of_a_plain_count():
    words = re.findall(r"\w+(?:-\w+)*", " ".join(TEXTS).lower())
    expected = collections.Counter(word for word in words if can_be_attribute(word))
    counted = count_attributes(TEXTS, min_count=1, max_attributes=99)
    assert dict(counted) == expected
    assert counted[:4] == [("soft", 4), ("dress", 2), ("sleeves", 2), ("v-neck", 2)]


def test_rare_words_and_those_beyond_the_most_are_left_out():
    assert count_attributes(TEXTS, min_count=2, max_attributes=3) == [
        ("soft", 4),
        ("dress", 2),
        ("sleeves", 2),
    ]
    assert count_attributes(TEXTS, min_count=5, max_attributes=3) == []


def test_texts_of_several_blocks():
    assert count_attributes(["red coat"] * 2500, 2500, 9) == [("coat", 2500), ("red", 2500)]
