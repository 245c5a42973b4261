"""Words are seen where they are drawn, and words that no photo shows are not seen at all."""

import numpy as np
import pytest

from data_prep.alignment import word_evidence
from data_prep.alignment.word_evidence import FEWEST, evidence_of_cells, fit

CELLS, CHANNELS = 4, 9
THINGS = {11: 2, 12: 5, 13: 7}  # piece: its channel
# 20: said of every photo; 21: said at random; 22: said too rarely
PIECES = (0, 1, 2, 3, 11, 12, 13, 20, 21, 22)


def drawn(count, seed):
    """(maps, texts, {(photo, piece): cell}): noise, with each photo's things as a bright cell of
    their channel.
    """
    generator = np.random.default_rng(seed)
    maps = generator.normal(3.0, 0.5, [count, CELLS, CELLS, CHANNELS]).astype(np.float32)
    texts, places = [], {}
    for photo in range(count):
        text = [20] + [21] * int(generator.integers(2))
        for piece, channel in THINGS.items():
            if generator.integers(2):
                row, column = generator.integers(CELLS, size=2)
                maps[photo, row, column, channel] += 6.0
                places[photo, piece] = (row, column)
                text.append(piece)
        texts.append(text + [22] * (photo < FEWEST - 1))
    return maps, texts, places


@pytest.fixture(scope="module")
def learnt():
    maps, texts, _ = drawn(150, 1)
    return fit(maps, texts, PIECES)


def test_cells_that_show_a_word_say_it(learnt):
    maps, _, places = drawn(40, 2)
    right = [
        evidence_of_cells(maps[photo], [PIECES.index(piece)], learnt)[0].argmax()
        == row * CELLS + column
        for (photo, piece), (row, column) in places.items()
    ]
    assert len(right) > 40 and np.mean(right) > 0.95  # chance: 1 in 16


def test_words_of_one_text_are_told_apart(learnt):
    """A cell that speaks for two words, and one of them more: the other has to look elsewhere."""
    maps = np.full([CELLS, CELLS, CHANNELS], 3.0, np.float32)
    first, second = (PIECES.index(piece) for piece in (11, 12))
    maps[0, 1, [2, 5]], maps[3, 2, 5] = (8.0, 5.0), 4.5
    alone = evidence_of_cells(maps, [second], learnt)[0]
    assert np.unravel_index(alone.argmax(), alone.shape) == (0, 1)
    both = evidence_of_cells(maps, [first, second, PIECES.index(20)], learnt)
    assert [np.unravel_index(said.argmax(), said.shape) for said in both[:2]] == [(0, 1), (3, 2)]
    assert not both[2].any()  # not visible


def test_words_that_no_photo_shows_are_not_visible(learnt):
    visible = dict(zip(PIECES, learnt.visible))
    assert min(visible[piece] for piece in THINGS) > 0.5
    assert visible[20] == visible[21] == visible[22] == visible[0] == 0.0
    assert not learnt.weights[:, [PIECES.index(piece) for piece in (20, 21, 22)]].any()


def test_photos_left_out_are_foretold_as_if_they_were(monkeypatch):
    """The closed form against leaving each photo out and fitting anew."""
    monkeypatch.setattr(word_evidence, "_RIDGES", (1.0,))
    maps, texts, _ = drawn(40, 3)
    found = fit(maps, texts, PIECES)
    strongest = ((maps - found.mean) / found.scale).max(axis=(1, 2)).astype(np.float64)
    holds = np.array([11 in text for text in texts], float)
    errors = []
    for out in range(40):
        kept = np.arange(40) != out
        rows, said = strongest[kept], holds[kept]
        centre, level = rows.mean(0), said.mean()
        weights = np.linalg.solve(
            (rows - centre).T @ (rows - centre) + 40.0 * np.eye(CHANNELS),
            (rows - centre).T @ (said - level),
        )
        errors.append(holds[out] - level - (strongest[out] - centre) @ weights)
    wanted = 1 - np.sum(np.square(errors)) / np.sum((holds - holds.mean()) ** 2)
    assert found.visible[PIECES.index(11)] == pytest.approx(wanted, abs=0.01)


def test_special_pieces_say_nothing():
    maps, texts, _ = drawn(150, 1)
    # the unknown piece stands for what can be seen
    texts = [[1 if piece == 11 else piece for piece in text] for text in texts]
    assert (
        fit(maps, texts, PIECES).visible[1] > 0.5
        and fit(maps, texts, PIECES, silent=4).visible[1] == 0.0
    )


def test_channel_that_never_answers_does_no_harm():
    maps, texts, places = drawn(60, 4)
    maps[..., 0] = 7.0
    found = fit(maps, texts, PIECES)
    assert np.isfinite(found.weights).all() and found.visible[PIECES.index(12)] > 0.3
