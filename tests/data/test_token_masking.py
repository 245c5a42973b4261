"""Alignment-guided masking, alone and inside tf.data. S = 12, A = pairs."""

import collections
import functools

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf import patches
from kaleido_tf.data.token_masking import MaskingConfig, choose_random_tokens, mask_tokens
from kaleido_tf.models.kaleido_bert.aligned_masking import choose_masked
from kaleido_tf.text import Vocabulary
from tests import golden_files

VOCABULARY = Vocabulary()
LENGTH = 12
CONTINUATION = tf.constant(VOCABULARY.is_continuation)


def example(words="blue dress with long sleeves", pairs=()):
    """[CLS] words [SEP] with aligned (place, patch) pairs."""
    ids = [VOCABULARY.tokens.index(word) for word in ["[CLS]", *words.split(), "[SEP]"]]
    padded = np.zeros([LENGTH], np.int32)
    padded[: len(ids)] = ids
    pairs = np.array(pairs, np.int32).reshape(-1, 2)
    return {
        "input_ids": tf.constant(padded),
        "input_mask": tf.constant((np.arange(LENGTH) < len(ids)).astype(np.int32)),
        "alignment_tokens": tf.constant(pairs[:, 0]),
        "alignment_patches": tf.constant(pairs[:, 1]),
    }


@functools.cache
def _choose(config):
    """A graph for each settings: in most tests hundreds of draws are made."""
    return tf.function(lambda item, draw: choose_masked(item, draw, config, CONTINUATION))


@functools.cache
def _replace(config):
    return tf.function(lambda item, draw: mask_tokens(item, draw, config, VOCABULARY))


def chosen(item, number, config):
    result = _choose(config)(item, tf.constant([3, number]))
    return result["masked_tokens"].numpy(), result["masked_patches"].numpy()


def level_counts(masked):
    return {level: int(masked[patches.level_slice(level)].sum()) for level in patches.LEVEL_NAMES}


@pytest.mark.parametrize(
    "pairs", [(), [(1, 5), (2, 14), (3, 31), (4, 32), (5, 33), (5, 6), (1, 15)]]
)
def test_budgets_hold_exactly(pairs):
    config = MaskingConfig(token_fraction=0.4)
    for number in range(40):
        tokens, masked = chosen(example(pairs=pairs), number, config)
        assert tokens.sum() == 2  # round(0.4 * 5)
        assert not tokens[0] and not tokens[6:].any()  # never [CLS], [SEP], padding
        assert level_counts(masked) == {
            "rotation": 0,
            "jigsaw": 0,
            "camouflage": 1,
            "grey_to_color": 2,
            "blank_to_color": 3,
        }


def test_at_most_ten_tokens_and_at_least_one():
    long = example("a " * 9 + "b")
    assert chosen(long, 0, MaskingConfig(token_fraction=1.0, max_tokens=4))[0].sum() == 4
    assert chosen(example("dress"), 0, MaskingConfig(token_fraction=0.01))[0].sum() == 1


def test_random_masking_takes_no_notice_of_pairs():
    pairs = [(1, 5), (2, 14), (3, 31), (4, 32), (5, 33), (5, 6), (1, 15)]
    free = MaskingConfig(token_fraction=0.4, guided=False)
    for number in range(20):
        for ours, none in zip(
            chosen(example(pairs=pairs), number, free), chosen(example(), number, free), strict=True
        ):
            np.testing.assert_array_equal(ours, none)


def test_random_choice_is_even():
    counts = np.zeros(LENGTH)
    patch_counts = np.zeros(patches.NUM_PATCHES)
    draws = 600
    for number in range(draws):
        tokens, masked = chosen(example(), number, MaskingConfig(token_fraction=0.4))
        counts += tokens
        patch_counts += masked
    np.testing.assert_allclose(counts[1:6] / draws, 0.4, atol=0.08)
    np.testing.assert_allclose(
        patch_counts[patches.level_slice("camouflage")] / draws, 1 / 9, atol=0.06
    )
    np.testing.assert_allclose(
        patch_counts[patches.level_slice("grey_to_color")] / draws, 2 / 16, atol=0.06
    )


def test_aligned_pairs_come_first_and_only_one_side_is_masked():
    pair = (2, 40)  # "dress" and a patch of level 5
    sides = collections.Counter()
    for number in range(200):
        tokens, masked = chosen(example(pairs=[pair]), number, MaskingConfig(token_fraction=0.2))
        sides[(bool(tokens[2]), bool(masked[40]))] += 1
    # Its token or its patch is always masked, and the random filling leaves the other side alone.
    assert sides[(False, False)] == sides[(True, True)] == 0
    assert 70 < sides[(True, False)] < 130


WRITTEN = [
    (1, 6),
    (1, 15),
    (1, 31),
    (2, 6),
    (2, 19),
    (2, 32),
    (4, 12),
    (4, 15),
    (4, 53),
    (5, 12),
    (5, 15),
    (5, 53),
]
"""As records have them: a word with a patch of each level, and patches that several words share."""


def test_no_pair_loses_both_sides_while_others_are_left():
    taken = np.zeros(len(WRITTEN), int)
    for number in range(150):
        tokens, masked = chosen(example(pairs=WRITTEN), number, MaskingConfig(token_fraction=0.2))
        sides = np.array([(tokens[token], masked[patch]) for token, patch in WRITTEN])
        # the third word and most patches have no pair: filling has a choice
        assert not sides.all(axis=1).any()
        taken += sides.any(axis=1)
    assert (taken > 0).all() and taken.mean() > 0.3 * 150


def test_filling_takes_a_partner_only_where_nothing_else_is_left():
    """Every word is paired with every patch of level 3: once a patch is taken there, all words are
    partners.
    """
    pairs = [(token, patch) for token in range(1, 6) for patch in range(5, 14)]
    both = 0
    for number in range(60):
        tokens, masked = chosen(example(pairs=pairs), number, MaskingConfig(token_fraction=0.4))
        assert tokens.sum() == 2 and level_counts(masked)["camouflage"] == 1
        both += tokens.any() and masked[5:14].any()
    assert both == 60  # the budgets hold, though no choice without both sides is left


def test_paired_word_pieces_of_a_whole_word_count_as_one_side():
    item = example("hem ##line of coat", pairs=[(1, 6), (2, 33)])
    for number in range(60):
        # budget 2 of 4
        tokens, masked = chosen(item, number, MaskingConfig(token_fraction=0.5, whole_words=True))
        assert not (tokens[1] and (masked[6] or masked[33]))


def test_pair_of_a_large_patch_masks_its_token():
    """Levels 1 and 2 are never masked: the token is taken whatever the coin says."""
    for number in range(20):
        tokens, masked = chosen(example(pairs=[(4, 2)]), number, MaskingConfig(token_fraction=0.2))
        assert tokens[4] and not masked[:5].any()


def test_whole_words_are_masked_together():
    item = example("hem ##line of em ##bro ##ider ##y")
    config = MaskingConfig(token_fraction=0.6, whole_words=True)  # budget 4 of 7
    seen = set()
    for number in range(60):
        tokens = chosen(item, number, config)[0]
        assert tokens[1] == tokens[2]
        assert tokens[4] == tokens[5] == tokens[6] == tokens[7]
        assert tokens.sum() <= 4
        seen.add(tuple(tokens))
    assert len(seen) > 2


def test_masked_language_model_labels():
    item = choose_masked(
        example(),
        tf.constant([3, 1]),
        MaskingConfig(token_fraction=0.6, max_tokens=7),
        CONTINUATION,
    )
    result = mask_tokens(item, tf.constant([3, 1]), MaskingConfig(max_tokens=7), VOCABULARY)
    positions, used = result["masked_lm_positions"].numpy(), result["masked_lm_weights"].numpy()
    assert used.tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert (np.diff(positions[:3]) > 0).all() and not positions[3:].any()
    np.testing.assert_array_equal(
        result["masked_lm_ids"].numpy()[:3], item["input_ids"].numpy()[positions[:3]]
    )
    untouched = ~item["masked_tokens"].numpy()
    np.testing.assert_array_equal(
        result["input_ids"].numpy()[untouched], item["input_ids"].numpy()[untouched]
    )


def test_eighty_ten_ten():
    kinds = collections.Counter()
    config = MaskingConfig(token_fraction=1.0)
    for number in range(300):
        seed = tf.constant([9, number])
        item = _choose(config)(example(), seed)
        result = _replace(config)(item, seed)["input_ids"].numpy()[1:6]
        for new, old in zip(result, item["input_ids"].numpy()[1:6]):
            kinds["mask" if new == VOCABULARY.mask_id else "same" if new == old else "random"] += 1
            assert new == VOCABULARY.mask_id or not VOCABULARY.is_special[new]
    total = sum(kinds.values())
    assert abs(kinds["mask"] / total - 0.8) < 0.05
    assert abs(kinds["same"] / total - 0.1) < 0.04
    assert abs(kinds["random"] / total - 0.1) < 0.04


def test_same_inside_tf_data():
    item = example(pairs=[(1, 7), (3, 44)])
    config = MaskingConfig(token_fraction=0.4)
    alone = [
        choose_masked(item, tf.constant([3, number]), config, CONTINUATION) for number in range(5)
    ]
    dataset = tf.data.Dataset.range(5).map(
        lambda n: choose_masked(item, tf.stack([3, n]), config, CONTINUATION)
    )
    for one, result in zip(alone, dataset.as_numpy_iterator(), strict=True):
        for name in ("masked_tokens", "masked_patches"):
            np.testing.assert_array_equal(one[name], result[name])


def test_independent_pieces_are_lost_by_their_own_draws():
    item = example(" ".join(["hem"] * 9))
    config = MaskingConfig(token_fraction=0.3, max_tokens=9, independent=True)
    counts, places = collections.Counter(), collections.Counter()

    @tf.function
    def chosen_at_random(number):
        draw = tf.stack([3, number])
        return choose_random_tokens(item, draw, config, CONTINUATION)["masked_tokens"]

    for number in range(400):
        tokens = chosen_at_random(tf.constant(number)).numpy()
        counts[int(tokens.sum())] += 1
        places.update(np.flatnonzero(tokens).tolist())
    assert set(places) == set(range(1, 10))  # never [CLS] or [SEP]
    # Of nine draws of 0.3 none hits in 4% of the texts; as many as expected are 2.7.
    assert counts[0] / 400 == pytest.approx(0.7**9, abs=0.03)
    assert sum(n * times for n, times in counts.items()) / 400 == pytest.approx(2.7, abs=0.3)


RELEASE = golden_files.read_json(golden_files.fashion_vil() / "word_masking.json")
"""What FashionViL's release makes of texts, given its draws."""


@pytest.fixture(scope="module")
def release_vocabulary(tmp_path_factory):
    path = tmp_path_factory.mktemp("release") / "vocab.txt"
    path.write_text("\n".join(RELEASE["vocab"]), encoding="utf-8")
    return Vocabulary(path)


def draws_of_the_release(given, vocabulary):
    """Its uniforms, one a word or a piece, at the places where ours lie, and its random ids at
    those of the pieces that ask for one.
    """
    length, whole = given["max_seq_length"], given["whole_word"]
    uniforms = np.ones([length], np.float32)
    uniforms[1 + whole :][: len(given["uniforms"])] = given["uniforms"]
    random_ids, left, words = np.zeros([length], np.int32), list(given["randint_ids"]), -1
    for place, token in enumerate(given["tokens"]):
        words += not (whole and token.startswith("##"))
        if 0.8 <= given["uniforms"][words] / given["probability"] < 0.9:
            random_ids[1 + place] = left.pop(0)
    assert not left
    return uniforms, random_ids


@pytest.mark.parametrize("number", range(len(RELEASE["examples"])))
def test_masked_words_of_the_fashion_vil_release(monkeypatch, release_vocabulary, number):
    given = RELEASE["examples"][number]
    expected = {name: np.array(values) for name, values in given["out"].items()}
    uniforms, random_ids = draws_of_the_release(given, release_vocabulary)
    monkeypatch.setattr(
        tf.random,
        "stateless_uniform",
        lambda *_, dtype=tf.float32: tf.constant(random_ids if dtype == tf.int32 else uniforms),
    )
    length = given["max_seq_length"]
    config = MaskingConfig(
        given["probability"], length, given["whole_word"], independent=True, single_draw=True
    )
    item = {
        name: tf.constant(expected[name], tf.int32, [length])
        for name in ("input_ids", "input_mask")
    }
    continuation = tf.constant(release_vocabulary.is_continuation)
    item = choose_random_tokens(item, tf.constant([1, 2]), config, continuation)
    result = mask_tokens(item, tf.constant([1, 2]), config, release_vocabulary)
    np.testing.assert_array_equal(result["input_ids"], expected["input_ids_masked"])
    labels = np.full([length], -1)
    used = result["masked_lm_weights"].numpy() > 0
    labels[result["masked_lm_positions"].numpy()[used]] = result["masked_lm_ids"].numpy()[used]
    np.testing.assert_array_equal(labels, expected["lm_label_ids"])


def test_a_single_draw_masks_the_pieces_of_a_word_alike():
    item = example("em ##bro ##ider ##y of coat")
    config = MaskingConfig(0.5, 12, whole_words=True, independent=True, single_draw=True)
    kinds = collections.Counter()

    @tf.function
    def masked(number):
        draw = tf.stack([4, number])
        return mask_tokens(
            choose_random_tokens(item, draw, config, CONTINUATION), draw, config, VOCABULARY
        )

    for number in range(400):
        result = masked(tf.constant(number))
        old, new = item["input_ids"].numpy()[1:5], result["input_ids"].numpy()[1:5]
        chosen_here = result["masked_tokens"].numpy()[1:5]
        assert chosen_here.all() or not chosen_here.any()
        if chosen_here.any():
            mask, same = (new == VOCABULARY.mask_id), (new == old)
            assert mask.all() or same.all() or not (mask | same).any()
            kinds["mask" if mask.all() else "same" if same.all() else "random"] += 1
            assert mask.all() or same.all() or len(set(new)) == 4  # an id of its own each
    total = sum(kinds.values())
    assert total / 400 == pytest.approx(0.5, abs=0.1)
    assert kinds["mask"] / total == pytest.approx(0.8, abs=0.1)
    assert kinds["same"] / total == pytest.approx(0.1, abs=0.07)
