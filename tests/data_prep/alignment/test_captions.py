"""Decoding: greedy and beam against all captions there are, reading a given text, heat maps and
regions of words.
"""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from data_prep.alignment.alignments import RASTER
from data_prep.alignment.captions import Speaker, heat_maps, regions_of_words
from data_prep.alignment.show_attend_tell import (
    END,
    START,
    UNKNOWN,
    Captioner,
    TrainedCaptioner,
    inputs_of,
    targets_of,
)
from kaleido_tf.text import Tokenizer, Vocabulary
from tests.tiny_captioner import SETTINGS

VOCABULARY = Vocabulary()
LONGEST = 3
OWN = range(UNKNOWN + 1, len(SETTINGS.pieces))


@pytest.fixture(scope="module")
def captioner():
    tf_keras.utils.set_random_seed(5)
    settings = dataclasses.replace(SETTINGS, longest=LONGEST)
    model = Captioner(settings)
    model._to_pieces.kernel.assign(4 * model._to_pieces.kernel)  # opinions, so that ways differ
    return TrainedCaptioner(settings, model)


@pytest.fixture(scope="module")
def maps():
    return np.random.default_rng(2).normal(size=[4, 3, 3, 6]).astype(np.float32)


def all_captions(captioner, photo):
    """{pieces: (mean log probability, attention)} of every caption of at most `LONGEST` pieces, by
    reading each.
    """
    found = {}
    for length in range(LONGEST + 1):
        captions = list(itertools.product(OWN, repeat=length))
        targets = np.array([[*pieces, END] for pieces in captions], np.int32)
        logits, attention = captioner.model(
            tf.constant(np.repeat(photo[None], len(captions), axis=0)), inputs_of(targets)
        )
        logarithms = np.take_along_axis(
            tf.nn.log_softmax(logits).numpy(), targets[..., None], axis=2
        )[..., 0]
        found.update(
            {
                pieces: (float(row.mean()), looked[:length].numpy())
                for pieces, row, looked in zip(captions, logarithms, attention)
            }
        )
    return found


def own_numbers(caption):
    return tuple(SETTINGS.pieces.index(piece) for piece in caption.token_ids)


def test_wide_beam_finds_the_best_of_all(captioner, maps):
    lengths = set()
    for photo, caption in zip(
        maps, Speaker(captioner, beam=27 + 9 + 3 + 1).describe(maps), strict=True
    ):
        scores = all_captions(captioner, photo)
        best = max(scores, key=lambda pieces: scores[pieces][0])
        assert own_numbers(caption) == best
        assert caption.score == pytest.approx(scores[best][0], rel=1e-4)
        np.testing.assert_allclose(
            caption.attention.reshape(-1, 9), scores[best][1].reshape(-1, 9), rtol=1e-3, atol=1e-6
        )
        lengths.add(len(best))
    assert len(lengths) > 1  # else the end would not have been put to the test


def test_greedy_takes_the_most_probable_piece_each_time(captioner, maps):
    for photo, caption in zip(maps, Speaker(captioner, beam=1).describe(maps), strict=True):
        pieces, looks = [START], []
        while len(pieces) <= LONGEST:
            logits, attention = captioner.model(
                tf.constant(photo[None]), np.array([pieces], np.int32)
            )
            allowed = [END, *OWN]
            pieces.append(allowed[int(np.argmax(logits.numpy()[0, -1, allowed]))])
            looks.append(attention.numpy()[0, -1].reshape(3, 3))
            if pieces[-1] == END:
                break
        said = [piece for piece in pieces[1:] if piece != END]
        assert own_numbers(caption) == tuple(said)
        np.testing.assert_allclose(
            caption.attention, np.array(looks[: len(said)]).reshape(-1, 3, 3), rtol=1e-3, atol=1e-6
        )


def test_text_that_is_read(captioner, maps):
    texts = [[4000, 2005], [3000], [2005, 77, 3000, 4000], [4000]]
    captions = Speaker(captioner).read(maps, texts)
    targets = targets_of(texts, captioner.settings)
    logits, attention = captioner.model(tf.constant(maps), inputs_of(targets))
    assert [caption.token_ids for caption in captions] == [
        (4000, 2005),
        (3000,),
        (2005, 77, 3000),
        (4000,),
    ]
    np.testing.assert_allclose(
        captions[2].attention.reshape(3, 9), attention[2, :3], rtol=1e-4, atol=1e-6
    )
    logarithms = tf.nn.log_softmax(logits).numpy()
    assert captions[1].score == pytest.approx(
        (logarithms[1, 0, 5] + logarithms[1, 1, END]) / 2, rel=1e-4
    )


def test_heat_maps_lie_over_the_crop():
    attention = np.zeros([2, 3, 3], np.float32)
    attention[0, 0, 2] = attention[1, 1, 1] = 1.0
    heats = heat_maps(attention, width=60, height=90)
    assert heats.shape == (2, 90, 60)
    assert (
        np.unravel_index(heats[0].argmax(), (90, 60))[0] < 30
        and np.unravel_index(heats[0].argmax(), (90, 60))[1] >= 40
    )
    rows, columns = np.nonzero(heats[1] > 0.5)
    assert (rows.mean(), columns.mean()) == (pytest.approx(44.5), pytest.approx(29.5))


def test_words_have_the_mean_of_their_pieces():
    ids = Tokenizer(VOCABULARY)(["a jetted, cropped dress"])[0]
    assert any(VOCABULARY.is_continuation[ids])
    attention = (
        np.random.default_rng(1)
        .dirichlet(np.ones(9), len(ids))
        .reshape(-1, 3, 3)
        .astype(np.float32)
    )
    regions = regions_of_words(ids, attention, VOCABULARY)
    assert [region.word for region in regions] == ["a", "jetted", "cropped", "dress"]
    assert all(region.heat.shape == (RASTER, RASTER) for region in regions)
    jetted = [1, 2]  # a, jett, ##ed
    assert VOCABULARY.tokens[ids[2]] == "##ed"
    np.testing.assert_allclose(
        regions[1].heat,
        heat_maps(attention[jetted].mean(axis=0)[None], RASTER, RASTER)[0],
        rtol=1e-5,
    )
    evidence = np.random.default_rng(2).normal(size=attention.shape).astype(np.float32)
    evidence[-1] = -1.0  # no cell shows a dress
    regions = regions_of_words(ids, evidence, VOCABULARY)
    assert [region.word for region in regions] == ["a", "jetted", "cropped"]
    shown = np.maximum(evidence[jetted].mean(axis=0), 0)[None]
    np.testing.assert_allclose(regions[1].heat, heat_maps(shown, RASTER, RASTER)[0], rtol=1e-5)
    assert regions_of_words([], np.zeros([0, 3, 3], np.float32), VOCABULARY) == []
