import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.layers.comparison import TextImageComparison
from kaleido_tf.layers.comparison_member import TEMPERATURE

VOCABULARY, DEPTH, SIZE, TOWER, PATCHES, IN_TOWERS, PLACES = 11, 5, 4, 6, 3, 2, 7
NEIGHBOURS, MEMBERS = 2, 2


@pytest.fixture
def comparison():
    layer = TextImageComparison(
        VOCABULARY, DEPTH, SIZE, TOWER, PATCHES, IN_TOWERS, MEMBERS, (4, PLACES), NEIGHBOURS
    )
    draw = np.random.default_rng(1)
    for number, member in enumerate(layer.members):
        for variable in (member.word_weights, member.rarity):
            variable.assign(draw.uniform(0.2, 1, VOCABULARY) * (np.arange(VOCABULARY) > 2))
        member.spreads.assign([0.3 + number, 0.7])
    return layer


@pytest.fixture
def member(comparison):
    return comparison.members[0]


def feed(count, seed=2):
    draw = np.random.default_rng(seed)
    ids = np.stack([draw.permutation(VOCABULARY)[:PLACES] for _ in range(count)]).astype(np.int32)
    mask = (np.arange(PLACES) < draw.integers(4, PLACES, [count, 1])).astype(np.int32)
    # One more patch than is compared.
    return ids, mask, draw.normal(size=[count, PATCHES + 1, DEPTH]).astype(np.float32)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def by_hand(layer, ids, mask, features):
    """(word by word, as a whole) of one text and one image, one number at a time."""
    words = list(dict.fromkeys(i for i, there in zip(ids.tolist(), mask) if there))
    patches = unit(features[:PATCHES] @ layer.projection.numpy() + layer.places.numpy())
    total = by_word = 0.0
    whole = np.zeros(TOWER)
    for word in words:
        similar = patches @ unit(layer.words.numpy()[word])
        best = TEMPERATURE * np.log(np.exp(similar / TEMPERATURE).sum())
        by_word += layer.word_weights.numpy()[word] * best
        total += layer.word_weights.numpy()[word]
        whole += layer.rarity.numpy()[word] * layer.tower_words.numpy()[word]
    image = unit(features[:IN_TOWERS].reshape(-1) @ layer.tower_projection.numpy())
    return by_word / total, unit(whole) @ image


def added_by_hand(layer, ids, mask, features):
    """The mean over the members of one pair's two scores, each by its spread."""
    return np.mean(
        [np.sum(by_hand(m, ids, mask, features) / m.spreads.numpy()) for m in layer.members]
    )


def test_scores_by_hand(comparison, member):
    ids, mask, features = feed(3)
    text, image = member.text_side(ids, mask), member.image_side(features)
    by_word, whole = member.scores(text, image)
    assert by_word.shape == whole.shape == (3, 3)
    for t in range(3):
        for i in range(3):
            expected = by_hand(member, ids[t], mask[t], features[i])
            np.testing.assert_allclose((by_word[t, i], whole[t, i]), expected, atol=1e-5)
    pairs = comparison(ids, mask, features, tf.constant([0.0, 1.0, -2.0]))
    added = [added_by_hand(comparison, *pair) for pair in zip(ids, mask, features)]
    np.testing.assert_allclose(pairs, 2 * np.array(added) - [0, 1, -2], atol=1e-5)


def test_a_word_counts_once_and_padding_never(member):
    ids, mask, features = feed(1)
    ids[0, :4], mask[0] = (3, 5, 7, 9), (1, 1, 1, 1, 0, 0, 0)
    image = member.image_side(features)

    def scores(ids, mask):
        return np.stack(member.scores(member.text_side(ids, mask), image)).ravel()

    plain = scores(ids, mask)
    ids[0, 4], mask[0, 4] = 5, 1  # again
    np.testing.assert_allclose(scores(ids, mask), plain, atol=1e-6)
    ids[0, 5:] = 8  # in the padding
    np.testing.assert_allclose(scores(ids, mask), plain, atol=1e-6)
    ids[0, 5], mask[0, 5] = 1, 1  # a piece without weight
    np.testing.assert_allclose(scores(ids, mask), plain, atol=1e-6)
    ids[0, 5] = 8
    assert np.abs(scores(ids, mask) - plain).min() > 1e-3


def test_text_without_any_known_word_is_no_better_with_one_image_than_with_another(member):
    _, _, features = feed(2)
    ids, mask = np.full([1, PLACES], 2, np.int32), np.ones([1, PLACES], np.int32)
    text = member.text_side(ids, mask)
    by_word, whole = member.scores(text, member.image_side(features))
    np.testing.assert_array_equal(by_word, np.zeros([1, 2]))
    np.testing.assert_array_equal(whole, np.zeros([1, 2]))


def test_a_member_of_few_words_scores_texts_of_them_alike_and_gives_back_what_it_learns(member):
    ids, mask, features = feed(3)
    used = np.array([3, 4, 7, 8, 10])
    places = np.full(VOCABULARY, len(used))
    places[used] = np.arange(len(used))
    few = member.of_words(used)
    known = np.isin(ids, used)

    def scores(of, ids, mask):
        return np.stack(of.scores(of.text_side(ids, mask), of.image_side(features)))

    expected = scores(member, ids, mask * known)
    np.testing.assert_allclose(scores(few, places[ids], mask), expected, atol=1e-6)
    for variable in few.trainable_variables:
        variable.assign_add(tf.ones_like(variable) * 0.1)
    before = member.words.numpy()
    member.take(few, used)
    learnt = scores(member, ids, mask * known)
    np.testing.assert_allclose(scores(few, places[ids], mask * known), learnt, atol=1e-6)
    assert np.abs(learnt - expected).max() > 1e-3
    others = np.setdiff1d(np.arange(VOCABULARY), used)
    np.testing.assert_array_equal(member.words.numpy()[others], before[others])


def fill_bank(comparison, count):
    ids, mask, features = feed(count, seed=3)
    filled = [(comparison.bank_ids, ids * mask)]
    for member in comparison.members:
        image = member.image_side(features)
        filled += [(member.bank_patches, image.patches), (member.bank_images, image.whole)]
    for variable, content in filled:
        padded = np.zeros(variable.shape)
        padded[:count] = content
        variable.assign(padded.astype(variable.dtype.as_numpy_dtype))
    comparison.bank_size.assign(count)
    return ids * mask, mask, features


@pytest.mark.parametrize("count", [1, 3, 4])
def test_hubness_is_the_mean_score_with_the_nearest_of_the_bank(comparison, count):
    bank_ids, bank_mask, bank_features = fill_bank(comparison, count)
    ids, mask, features = feed(2, seed=4)

    def mean_of_nearest(pairs):
        return np.mean(sorted(added_by_hand(comparison, *pair) for pair in pairs)[-NEIGHBOURS:])

    texts = [mean_of_nearest([(ids[t], mask[t], f) for f in bank_features]) for t in range(2)]
    images = [
        mean_of_nearest([(*side, features[i]) for side in zip(bank_ids, bank_mask)])
        for i in range(2)
    ]
    np.testing.assert_allclose(comparison.text_hubness(ids, mask), texts, atol=1e-5)
    np.testing.assert_allclose(comparison.image_hubness(features), images, atol=1e-5)


def test_empty_bank_changes_nothing(comparison):
    ids, mask, features = feed(2)
    np.testing.assert_array_equal(comparison.text_hubness(ids, mask), [0, 0])
    np.testing.assert_array_equal(comparison.image_hubness(features), [0, 0])


def test_it_computes_in_float32_under_mixed_precision(comparison):
    ids, mask, features = feed(2)
    pairs = comparison(ids, mask, tf.cast(features, tf.bfloat16), tf.zeros([2]))
    assert pairs.dtype == tf.float32
    again = TextImageComparison.from_config(comparison.get_config())
    assert [v.shape for v in again.weights] == [v.shape for v in comparison.weights]
