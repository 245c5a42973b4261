"""Captions written with kept keys and values are those of the whole model, run anew each step."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from kaleido_tf.captioning.caption_config import Writing
from kaleido_tf.captioning.caption_writer import CaptionWriter, _without_repeats
from kaleido_tf.captioning.mask_filler import MaskFiller
from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_bert.config import FashionBertConfig
from kaleido_tf.objectives.captioning import Captioner
from kaleido_tf.text import Vocabulary
from tests.tiny_models import tiny_config

WORDS = [f"w{number}" for number in range(18)]
LENGTH, PATCHES, GRID = 9, 55, 16


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    return Vocabulary(path)


def captioner_of(config, causal=True):
    tf.keras.utils.set_random_seed(5)
    captioner = Captioner(config, LENGTH, causal)
    generator = np.random.default_rng(3)
    for variable in captioner.trainable_variables:  # so that captions differ from each other
        if len(variable.shape) > 1:
            variable.assign(generator.normal(0, 0.6, variable.shape))
    return captioner


@pytest.fixture(scope="module")
def captioner():
    return captioner_of(tiny_config())


@pytest.fixture(scope="module")
def photos():
    """Features [3, 2, P, F], boxes and mask: two products with two photos, one with one."""
    generator = np.random.default_rng(1)
    features = generator.normal(size=[3, 2, PATCHES, 5]).astype(np.float32)
    corners = np.sort(generator.integers(0, 40, [3, 2, PATCHES, 2, 2]), -1).reshape(3, 2, -1, 4)
    boxes = np.concatenate([corners, generator.integers(1, 900, [3, 2, PATCHES, 1])], -1)
    return features, boxes.astype(np.int32), np.array([[1, 1], [1, 0], [1, 1]], np.int32)


def log_probabilities(captioner, vocabulary, ids, features, boxes, behind_mask=False):
    """[V] of the piece behind `ids`, by the functional model from the first place on."""
    pieces = [vocabulary.cls_id, *ids] + [vocabulary.mask_id] * behind_mask
    padded = [pieces + [vocabulary.pad_id] * (LENGTH - len(pieces))]
    parts = (padded, [len(pieces)], [[len(pieces) - 1]], features[None], boxes[None])
    return whole_model(captioner)(*map(tf.constant, parts)).numpy()


@functools.cache
def whole_model(captioner):
    """(ids, length, place, features, boxes) -> [V] of one text, the whole model at once."""
    backbone, causal = captioner.backbone, "causal_encoder" in captioner.backbone.__dict__

    @tf.function
    def run(ids, length, place, features, boxes):
        feed = {**text_inputs(ids, length), **backbone.image_inputs(features, boxes)}
        if causal:
            hidden = backbone.causal_encoder(feed, training=False)
        else:
            hidden = backbone.encoder(feed, training=False)["sequence_output"]
        logits = backbone.named_layers["masked_lm"](hidden[:, :LENGTH], place)
        return tf.nn.log_softmax(logits[0, 0])

    return run


def without_specials(logits, vocabulary, end):
    banned = vocabulary.is_special.copy()
    banned[vocabulary.sep_id] = not end
    return np.where(banned, -np.inf, logits)


def normalised(logits):
    return logits - np.logaddexp.reduce(logits)


def greedy(captioner, vocabulary, features, boxes, shortest, longest, behind_mask=False):
    ids = []
    while len(ids) < longest:
        logits = log_probabilities(captioner, vocabulary, ids, features, boxes, behind_mask)
        best = int(without_specials(logits, vocabulary, len(ids) >= shortest).argmax())
        if best == vocabulary.sep_id:
            break
        ids.append(best)
    return ids


def words(row, vocabulary):
    return [int(number) for number in row if number != vocabulary.pad_id]


@pytest.mark.parametrize("behind_mask", [False, True])
def test_greedy_captions_are_those_of_the_whole_model(captioner, vocabulary, photos, behind_mask):
    features, boxes, _ = photos
    writing = Writing(beam_size=1, repeats_trigrams=True, shortest=2)
    writer = CaptionWriter(captioner.backbone, vocabulary, writing, behind_mask)
    flat = features.reshape(6, 1, PATCHES, 5), boxes.reshape(6, 1, PATCHES, 5)
    ids, _ = writer.write(*flat, np.ones([6, 1], np.int32))
    expected = [
        greedy(captioner, vocabulary, f[0], b[0], 2, LENGTH - 2, behind_mask) for f, b in zip(*flat)
    ]
    assert [words(row, vocabulary) for row in ids] == expected
    assert len({tuple(row) for row in expected}) > 2


@pytest.fixture
def lower_precision():
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    tf_keras.mixed_precision.set_global_policy("float32")


def check_scores(captioner, vocabulary, photos, beam_size, **tolerance):
    """Holds scores against log probabilities of the same captions by the whole model."""
    features, boxes, _ = photos
    writing = Writing(beam_size=beam_size, length_penalty=0.8, longest=5, repeats_trigrams=True)
    writer = CaptionWriter(captioner.backbone, vocabulary, writing)
    one = features[:, :1], boxes[:, :1], np.ones([3, 1], np.int32)
    ids, scores = writer.write(*one)
    for row, score, feature, box in zip(ids, scores, one[0], one[1]):
        caption, total = words(row, vocabulary), 0.0
        for place, piece in enumerate([*caption, vocabulary.sep_id][:6]):
            logits = log_probabilities(captioner, vocabulary, caption[:place], feature[0], box[0])
            if place < 5:  # behind the longest caption [SEP] is certain
                total += normalised(without_specials(logits, vocabulary, place > 0))[piece]
        length = len(caption) + 1
        assert score == pytest.approx(total / ((5 + length) / 6) ** 0.8, **tolerance)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_scores_are_log_probabilities_of_the_whole_model(captioner, vocabulary, photos, beam_size):
    check_scores(captioner, vocabulary, photos, beam_size, rel=1e-4)


def test_captions_in_lower_precision(vocabulary, photos, lower_precision):
    captioner = captioner_of(tiny_config())
    assert captioner.backbone.named_layers["masked_lm"].compute_dtype == "bfloat16"
    check_scores(captioner, vocabulary, photos, beam_size=2, rel=0.03)


def test_a_wider_beam_finds_no_worse_captions(captioner, vocabulary, photos):
    features, boxes, mask = photos
    found = [
        CaptionWriter(
            captioner.backbone, vocabulary, Writing(beam_size=beam, length_penalty=0.0)
        ).write(features, boxes, mask)[1]
        for beam in (1, 6)
    ]
    assert (found[1] >= found[0] - 1e-5).all() and (found[1] > found[0] + 1e-3).any()


def test_photos_that_are_not_there_change_nothing(captioner, vocabulary, photos):
    features, boxes, mask = photos
    writer = CaptionWriter(captioner.backbone, vocabulary, Writing())
    together = writer.write(features, boxes, mask)
    alone = writer.write(features[1:2, :1], boxes[1:2, :1], mask[1:2, :1])
    np.testing.assert_array_equal(together[0][1], alone[0][0])
    np.testing.assert_allclose(together[1][1], alone[1][0], rtol=1e-5)
    doubled = [np.repeat(part[1:2, :1], 2, axis=1) for part in photos]
    np.testing.assert_allclose(writer.write(*doubled)[1], alone[1], rtol=1e-4)


def test_lengths_and_repeated_trigrams(captioner, vocabulary, photos):
    def lengths(**settings):
        ids, _ = CaptionWriter(captioner.backbone, vocabulary, Writing(**settings)).write(*photos)
        return [len(words(row, vocabulary)) for row in ids], ids

    assert min(lengths(shortest=6)[0]) >= 6
    assert max(lengths(longest=2)[0]) <= 2
    with pytest.raises(InputError, match="room for 7 word pieces"):
        lengths(longest=8)
    with pytest.raises(InputError, match="at least --min_caption_length"):
        Writing(longest=2, shortest=3)


def test_no_trigram_is_said_twice():
    ids = tf.constant([[2, 7, 8, 9, 7, 8], [2, 7, 8, 9, 8, 7], [2, 6, 6, 6, 6, 6]])
    logits = _without_repeats(tf.zeros([3, 23]), ids).numpy()
    assert np.argwhere(logits < 0).tolist() == [[0, 9], [2, 6]]


def test_fashion_bert_writes_too(vocabulary):
    config = FashionBertConfig(
        vocab_size=23,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=11,
        patch_feature_size=5,
    )
    captioner = captioner_of(config)
    generator = np.random.default_rng(0)
    count = captioner.backbone.num_patches
    features = generator.normal(size=[2, 1, count, 5]).astype(np.float32)
    boxes = np.zeros([2, 1, count, 5], np.int32)
    writer = CaptionWriter(
        captioner.backbone, vocabulary, Writing(beam_size=1, repeats_trigrams=True)
    )
    ids, _ = writer.write(features, boxes, np.ones([2, 1], np.int32))
    for row, feature, box in zip(ids, features, boxes):
        expected = greedy(captioner, vocabulary, feature[0], box[0], 1, LENGTH - 2)
        assert words(row, vocabulary) == expected


def test_masks_are_filled_from_left_to_right(vocabulary, photos):
    captioner = captioner_of(tiny_config(), causal=False)
    features, boxes, mask = photos
    ids, scores = MaskFiller(captioner.backbone, vocabulary, 4).write(
        features[:, :1], boxes[:, :1], mask[:, :1]
    )
    for row, score, feature, box in zip(ids, scores, features[:, 0], boxes[:, 0]):
        text = [2, 4, 4, 4, 4, 3, 0, 0, 0]
        total = 0.0
        for place in range(1, 5):
            parts = ([text], [6], [[place]], feature[None], box[None])
            logits = whole_model(captioner)(*map(tf.constant, parts)).numpy()
            logits = normalised(np.where(vocabulary.is_special, -np.inf, logits))
            text[place] = int(logits.argmax())
            total += logits.max()
        assert row.tolist() == text[1:5]
        assert score == pytest.approx(total / 4, rel=1e-4)
    with pytest.raises(ValueError, match="One photo a product"):
        MaskFiller(captioner.backbone, vocabulary, 4).write(features, boxes, mask)
