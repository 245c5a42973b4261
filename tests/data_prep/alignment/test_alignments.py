"""Word-region pairs to (token, patch) pairs, by hand."""

import numpy as np
import pytest

from data_prep.alignment.alignments import (
    RASTER,
    AlignmentSettings,
    Region,
    align,
    covered_patches,
    heat_of_box,
    salient_region,
)
from kaleido_tf import patches
from kaleido_tf.errors import InputError
from kaleido_tf.text import Tokenizer, Vocabulary
from kaleido_tf.words import words_of

VOCABULARY = Vocabulary()
ONE = AlignmentSettings(mass=0.95, overlap=0.5)


def words(text):
    return words_of(Tokenizer(VOCABULARY)([text])[0], VOCABULARY)


def box_of_patch(level, place):
    """A heat map that is one patch of a level."""
    side = patches.LEVELS[patches.LEVEL_NAMES.index(level)]
    row, column = divmod(place, side)
    return heat_of_box((column, row, column + 1, row + 1), side, side)


@pytest.mark.parametrize(
    "level, place",
    [("camouflage", 0), ("camouflage", 5), ("grey_to_color", 15), ("blank_to_color", 12)],
)
def test_region_that_is_a_patch_finds_that_patch(level, place):
    found = dict(
        covered_patches(box_of_patch(level, place), AlignmentSettings(mass=1.0, overlap=0.9))
    )
    assert found[patches.LEVEL_STARTS[level] + place] == pytest.approx(1.0)
    others = [
        number
        for number in found
        if number in range(55)[patches.level_slice(level)]
        and number != patches.LEVEL_STARTS[level] + place
    ]
    assert not others


def test_small_region_is_paired_with_the_patches_it_lies_in():
    """A neckline: smaller than any patch, inside the top middle one of level 3."""
    heat = heat_of_box((28, 1, 32, 4), 60, 60)
    found = dict(covered_patches(heat, AlignmentSettings(mass=1.0, overlap=0.9)))
    assert found[patches.LEVEL_STARTS["camouflage"] + 1] == pytest.approx(1.0)
    assert found[patches.LEVEL_STARTS["blank_to_color"] + 2] == pytest.approx(1.0)
    # half in each of two
    assert not [
        number for number in found if number in range(55)[patches.level_slice("grey_to_color")]
    ]


def test_large_region_gives_one_patch_a_level_or_more_when_asked():
    heat = np.zeros([RASTER, RASTER])
    heat[:, : RASTER // 2] = 1.0
    heat[10:20, 5:9] = 2.0
    assert len(covered_patches(heat, ONE)) == 3
    # level 3 has three in that half
    assert len(covered_patches(heat, AlignmentSettings(0.95, 0.6, patches_a_level=4))) == 3 + 4 + 4


def test_ties_go_to_the_patch_with_more_heat():
    heat = np.zeros([RASTER, RASTER])
    heat[:20, :] = 1.0
    heat[:20, 40:] = 1.5
    assert (
        covered_patches(heat, AlignmentSettings(mass=1.0))[0][0]
        == patches.LEVEL_STARTS["camouflage"] + 2
    )


def test_salient_region_is_the_smallest_with_its_mass():
    heat = np.zeros([RASTER, RASTER])
    heat[0, :4] = [4, 3, 2, 1]
    assert salient_region(heat, 0.7).sum() == 2 and salient_region(heat, 0.71).sum() == 3
    assert salient_region(heat, 1.0).sum() == 4


@pytest.mark.parametrize("mass", [0.3, 0.5, 1.0])
def test_even_box_is_one_region_and_finds_the_patches_in_its_middle(mass):
    """The word for the whole garment, and one for its lower half: not the corner that
    comes first.
    """
    whole = heat_of_box((1.5, 2, 58.2, 59), 60, 60)
    assert salient_region(whole, mass).sum() >= 56 * 57
    found = [patch for patch, _ in covered_patches(whole, AlignmentSettings(mass=mass))]
    starts = [
        patches.LEVEL_STARTS[level] for level in ("camouflage", "grey_to_color", "blank_to_color")
    ]
    assert (
        found[0] == starts[0] + 4
        and found[1] - starts[1] in (5, 6, 9, 10)
        and found[2] == starts[2] + 12
    )
    legs = [
        patch
        for patch, _ in covered_patches(
            heat_of_box((0, 30, 60, 60), 60, 60), AlignmentSettings(mass=mass)
        )
    ]
    assert (
        legs[0] == starts[0] + 7
        and legs[1] - starts[1] in (9, 10, 13, 14)
        and legs[2] == starts[2] + 17
    )


def test_no_heat_is_no_patch():
    assert covered_patches(np.zeros([RASTER, RASTER]), AlignmentSettings()) == []


def test_words_are_matched_by_stem_once_each_and_in_order():
    text = words("A dotted dress with dots on the sleeves and dots below")
    heats = [box_of_patch("camouflage", place) for place in (0, 4, 8)]
    regions = [
        Region("dots", heats[0]),
        Region("sleeves", heats[1]),
        Region("dot", heats[2]),
        Region("collar", heats[0]),
    ]
    found = align(text, regions, AlignmentSettings(mass=0.95, overlap=0.9))
    pairs = sorted(
        {
            (int(token), int(patch))
            for token, patch in zip(found.tokens, found.patches)
            if patch < patches.LEVEL_STARTS["grey_to_color"]
        }
    )
    by_text = {word.text: word for word in reversed(text)}
    first, second = by_text["dotted"], by_text["dots"]
    expected = {(token, 5) for token in range(first.start, first.end)} | {
        (token, 5 + 8) for token in range(second.start, second.end)
    }
    expected |= {
        (token, 5 + 4) for token in range(by_text["sleeves"].start, by_text["sleeves"].end)
    }
    assert set(pairs) == expected
    assert found.scores.dtype == np.float32 and (found.scores >= 0.9).all()


def test_region_that_knows_its_word_goes_there_alone():
    """Not to the first of that stem: "belt loops" are no belt."""
    text = words("Trousers with belt loops and a belt")
    last = [word for word in text if word.text == "belt"][-1]
    heat = box_of_patch("camouflage", 4)
    found = align(text, [Region("belt", heat, 0.5, last.start)], AlignmentSettings(overlap=0.9))
    assert set(found.tokens) == {last.start} and found.scores.max() == pytest.approx(0.5)
    nowhere = align(text, [Region("belt", heat, 1.0, 99)], AlignmentSettings())
    assert not len(nowhere.tokens) and nowhere.shared == 0


def test_region_of_several_words_goes_to_each_of_them():
    text = words("A striped T-shirt with a chest pocket")
    found = align(
        text,
        [
            Region("t-shirt", box_of_patch("camouflage", 4)),
            Region("chest pocket", box_of_patch("camouflage", 0)),
        ],
        ONE,
    )
    place = {word.text: word.start for word in text}
    pairs = set(zip(found.tokens.tolist(), found.patches.tolist()))
    # a single letter tells nothing
    assert {token for token, patch in pairs if patch == 5 + 4} == {place["shirt"]}
    assert {token for token, patch in pairs if patch == 5} == {place["chest"], place["pocket"]}


def test_stop_words_and_foreign_words_give_nothing():
    heat = box_of_patch("camouflage", 4)
    found = align(
        words("a dress with the sleeves"),
        [Region("with", heat), Region("the", heat), Region("boot", heat)],
        ONE,
    )
    assert len(found.tokens) == len(found.patches) == len(found.scores) == 0


def test_box_as_heat_map():
    heat = heat_of_box((10, 0, 25, 60), 60, 120)
    assert heat.sum() == pytest.approx(RASTER * RASTER * (15 / 60) * (60 / 120))
    assert heat[0, 10] == pytest.approx(1.0) and heat[0, 9] == 0.0 and heat[RASTER // 2, 10] == 0.0


@pytest.mark.parametrize(
    "change, needed",
    [
        ({"mass": float("nan")}, "--mass must be above 0"),
        ({"mass": 0.0}, "--mass must be above 0"),
        ({"mass": 1.5}, "--mass must be"),
        ({"overlap": 1.1}, "--overlap must be 0 to 1"),
        ({"patches_a_level": 0}, "--patches_a_level must be at least 1"),
    ],
)
def test_settings_out_of_range(change, needed):
    with pytest.raises(InputError, match=needed):
        AlignmentSettings(**change)
