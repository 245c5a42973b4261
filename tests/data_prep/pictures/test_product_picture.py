"""What stands on a product's picture, as data: patches before and after the tasks, words, lines,
labels.
"""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from data_prep.alignment.alignments import Alignments, Region
from data_prep.pictures import alignment_panel
from data_prep.pictures.alignment_panel import (
    AlignedText,
    aligned_words,
    draw_alignments,
    explanation,
    text_pieces,
)
from data_prep.pictures.patch_pictures import cut_patches, fit, patches_shown, with_heat, with_mask
from data_prep.pictures.picture_panels import LEFT, WIDTH
from data_prep.pictures.product_picture import ProductView, draw_product, example_labels
from data_prep.pictures.sheet import Sheet
from data_prep.pictures.shown_example import (
    KEPT,
    MASKED,
    RANDOM,
    UNCHANGED,
    ShownExample,
    ShownToken,
)
from kaleido_tf.data.sampling import DrawnExample
from kaleido_tf.text import Vocabulary
from kaleido_tf.words import words_of

VOCABULARY = Vocabulary()
TEXT = "a striped dress with buttons , a collar and sleeves"
EXAMPLE = ShownExample(
    drawn=DrawnExample(record=0, donor=1, text=0, matched=True, position=17),
    epoch=2,
    tokens=(
        ShownToken("[CLS]", "[CLS]", KEPT),
        ShownToken("a", "a", KEPT),
        ShownToken("[MASK]", "striped", MASKED),
        ShownToken("boat", "dress", RANDOM),
        ShownToken("with", "with", UNCHANGED),
        ShownToken("[SEP]", "[SEP]", KEPT),
    ),
    quarter_turns=1,
    jigsaw=(3, 1, 0, 2),
    camouflaged=4,
    donor_patch=7,
    grey=(0, 15),
    blank=(3, 12, 24),
)


def crop(seed, height=60, width=40):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def view():
    ids = [VOCABULARY.tokens.index(word) for word in TEXT.split()]
    place = {word: number for number, word in enumerate(TEXT.split())}
    pairs = [
        ("dress", 9, 0.9),
        ("dress", 42, 0.7),
        ("collar", 6, 1.0),
        ("buttons", 9, 0.8),
        ("sleeves", 30, 0.6),
    ]
    mask = np.zeros([90, 70], bool)
    mask[15:70, 10:50] = True
    return ProductView(
        product_id="P1",
        image_id="P1_1",
        title="Dress",
        text=TEXT,
        category="Dress (Garments)",
        photo=crop(1, 90, 70),
        crop_box=(8, 52, 12, 74),
        mask=mask,
        mask_note="border",
        crop=crop(2),
        aligned=AlignedText(
            TEXT.split(),
            words_of(ids, VOCABULARY),
            Alignments(
                *(
                    np.array(column)
                    for column in zip(
                        *((place[word], patch, score) for word, patch, score in pairs)
                    )
                )
            ),
            text_length=11,
        ),
        caption=None,
        example=EXAMPLE,
        donor_crop=crop(3, 30, 80),
        donor_name="P2_1",
        text_owner="P1",
    )


def test_patches_of_an_example_are_turned_shuffled_camouflaged_grey_and_blank(view):
    own, donor = cut_patches(view.crop), cut_patches(view.donor_crop)
    shown = patches_shown(view.crop, view.donor_crop, EXAMPLE)
    np.testing.assert_array_equal(shown[0], np.rot90(view.crop))
    for place, patch in enumerate((3, 1, 0, 2)):
        np.testing.assert_array_equal(shown[1 + place], own[1 + patch])
    np.testing.assert_array_equal(shown[5 + 4], donor[7])
    for number in (14, 29):
        assert (shown[number] == shown[number][..., :1]).all() and not (
            own[number] == own[number][..., :1]
        ).all()
    assert [number for number, patch in enumerate(shown) if patch is None] == [33, 42, 54]
    untouched = set(range(5, 55)) - {9, 14, 29, 33, 42, 54}
    assert all((shown[number] == own[number]).all() for number in untouched)


def test_mask_keeps_the_product_and_tints_the_rest(view):
    shown = with_mask(view.photo, view.mask)
    np.testing.assert_array_equal(shown[view.mask], view.photo[view.mask])
    outside = shown[~view.mask].astype(int)
    assert (outside[:, 2] - outside[:, 0]).mean() > 60


@pytest.mark.parametrize("row, column", [(6, 6), (54, 30)])
def test_heat_is_seen_where_it_is(row, column):
    heat = np.zeros([60, 60])
    # strength alone does not tell: the hottest is full
    heat[row - 3 : row + 4, column - 3 : column + 4] = 0.02
    shown = with_heat(np.full([120, 60, 3], 128, np.uint8), heat).astype(int)
    colour = shown[..., 0] - shown[..., 2]
    assert np.unravel_index(colour.argmax(), colour.shape) == pytest.approx(
        (row * 2, column), abs=8
    )
    assert colour[2 * row, column] > 120 and (colour[:, 59] == 0).all()


def test_fit_keeps_the_proportion_within_the_room():
    assert (
        fit((100, 50), (40, 400)) == (40, 20)
        and fit((10, 30), (200, 60)) == (20, 60)
        and fit((1000, 1), (10, 10)) == (10, 1)
    )


def test_words_and_their_lines_end_in_the_right_patches(view):
    aligned = aligned_words(view.aligned)
    assert [(item.word.text, item.patches) for item in aligned] == [
        ("dress", (9, 42)),
        ("buttons", (9,)),
        ("collar", (6,)),
        ("sleeves", (30,)),
    ]
    sheet = Sheet(WIDTH)
    bottom, lines = draw_alignments(sheet, view.aligned, view.crop, 0)
    assert [(line.word.text, line.patch) for line in lines] == [
        ("dress", 9),
        ("dress", 42),
        ("buttons", 9),
        ("collar", 6),
        ("sleeves", 30),
    ]
    assert len({line.end for line in lines}) == 5 and bottom < sheet.height
    # Level 3, 4 and 5 stand side by side; a patch's place within its level decides where in its
    # third a line ends.
    third = (WIDTH - 2 * LEFT) / 3
    ends = {(line.word.text, line.patch): line.end for line in lines}
    assert (
        LEFT < ends["dress", 9][0] < LEFT + third
        and LEFT + 2 * third < ends["dress", 42][0] < WIDTH - LEFT
    )
    # the top and the middle row
    assert ends["collar", 6][1] < ends["dress", 9][1] == ends["buttons", 9][1]
    assert (
        ends["sleeves", 30][0] < ends["dress", 42][0]
        and ends["sleeves", 30][1] < ends["dress", 42][1]
    )


def test_lines_lie_in_the_boxes_of_their_patches(view, monkeypatch):
    boxes = {}
    original = alignment_panel._lines
    monkeypatch.setattr(
        alignment_panel,
        "_lines",
        lambda aligned, found: boxes.update(found) or original(aligned, found),
    )
    _, lines = draw_alignments(Sheet(WIDTH), view.aligned, view.crop, 0)
    assert sorted(boxes) == list(range(5, 55))
    for line in lines:
        left, top, width, height = boxes[line.patch]
        assert left < line.end[0] < left + width and top < line.end[1] < top + height


def test_many_pairs_of_a_word_are_drawn_a_few(view):
    pairs = Alignments(np.full(20, 2), np.arange(14, 34), np.linspace(0.5, 1, 20))
    _, lines = draw_alignments(
        Sheet(WIDTH), dataclasses.replace(view.aligned, pairs=pairs), view.crop, 0
    )
    assert [line.patch for line in lines] == [33, 32, 31, 30, 29, 28]  # the best


def test_text_says_what_is_aligned_and_what_is_cut_off(view):
    pieces, number_of = text_pieces(view.aligned, aligned_words(view.aligned))
    assert [piece.text for piece in pieces] == TEXT.split()
    assert {pieces[number].text for number in number_of.values()} == {
        "dress",
        "buttons",
        "collar",
        "sleeves",
    }
    assert pieces[5].glued and not pieces[6].glued  # the comma
    # 11 places, two of them marks
    assert [piece.text for piece in pieces if piece.colour == alignment_panel.CUT_OFF] == [
        "sleeves"
    ]
    assert (
        explanation(view.aligned, aligned_words(view.aligned))
        == "4 of 9 words have pairs; training cuts off the last 1 word pieces (grey):"
        " --input_sequence_length=11"
    )
    assert len({pieces[number].edge for number in number_of.values()}) == 4


def test_labels_number_patches_as_the_records_do(view):
    titles, notes = example_labels(view)
    assert titles == ["donor", "I turned", "II shuffled", "III camouflaged", "IV grey", "V blank"]
    assert notes == [
        "image P2_1, patch 7",
        "by 90 degrees counter-clockwise",
        "patches 4, 2, 1, 3 in rows",
        "place 9 shows the donor's patch",
        "patches 14, 29",
        "patches 33, 42, 54",
    ]
    off = dataclasses.replace(EXAMPLE, camouflaged=None, grey=(), blank=())
    titles, notes = example_labels(dataclasses.replace(view, example=off))
    assert titles[0] == notes[0] == "" and notes[3:] == ["none", "patches none", "patches none"]


def test_picture_is_written_whole_and_grows_with_its_caption(view, tmp_path):
    plain = draw_product(view)
    plain.save(tmp_path / "plain.png")
    heat = np.ones([60, 60])
    caption = [Region("word" * (1 + number % 4), heat) for number in range(60)]
    long = draw_product(
        dataclasses.replace(
            view,
            caption=("a caption " * 40, caption),
            title="a long title " * 30,
            text=TEXT * 20,
            mask=None,
        )
    )
    long.save(tmp_path / "long.png")
    assert long.height > plain.height + 300
    for sheet, name in ((plain, "plain.png"), (long, "long.png")):
        drawn = np.array(Image.open(tmp_path / name).convert("RGB"))
        assert drawn.shape == (sheet.height, WIDTH, 3) and drawn.std() > 20
        # nothing leaves the margins
        assert (drawn[:, : LEFT - 4] == 255).all() and (drawn[:, WIDTH - LEFT + 6 :] == 255).all()


def test_product_without_pairs_and_with_nothing_masked(view):
    off = dataclasses.replace(EXAMPLE, camouflaged=None, grey=(), blank=())
    empty = Alignments(np.empty([0], np.int64), np.empty([0], np.int64), np.empty([0]))
    text = dataclasses.replace(view.aligned, pairs=empty)
    sheet = draw_product(dataclasses.replace(view, aligned=text, example=off))
    assert draw_alignments(Sheet(WIDTH), text, view.crop, 0)[1] == []
    assert sheet.height < draw_product(view).height
