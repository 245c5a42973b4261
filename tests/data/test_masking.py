"""Alignment-guided masking, alone and inside tf.data. S = 12, A = pairs."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf import patches
from kaleido_tf.data.masking import MaskingConfig, choose_masked, mask_tokens
from kaleido_tf.text import Vocabulary

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


def chosen(item, number, config):
    result = choose_masked(item, tf.constant([3, number]), config, CONTINUATION)
    return result["masked_tokens"].numpy(), result["masked_patches"].numpy()


def level_counts(masked):
    return {level: int(masked[patches.level_slice(level)].sum()) for level in patches.LEVEL_NAMES}


@pytest.mark.parametrize("pairs", [(), [(1, 5), (2, 14), (3, 31), (4, 32), (5, 33), (5, 6), (1, 15)]])
def test_budgets_hold_exactly(pairs):
    config = MaskingConfig(token_fraction=0.4)
    for number in range(40):
        tokens, masked = chosen(example(pairs=pairs), number, config)
        assert tokens.sum() == 2  # round(0.4 * 5)
        assert not tokens[0] and not tokens[6:].any()  # never [CLS], [SEP], padding
        assert level_counts(masked) == {"rotation": 0, "jigsaw": 0, "camouflage": 1, "grey_to_color": 2, "blank_to_color": 3}


def test_at_most_ten_tokens_and_at_least_one():
    long = example("a " * 9 + "b")
    assert chosen(long, 0, MaskingConfig(token_fraction=1.0, max_tokens=4))[0].sum() == 4
    assert chosen(example("dress"), 0, MaskingConfig(token_fraction=0.01))[0].sum() == 1


def test_random_masking_takes_no_notice_of_pairs():
    pairs = [(1, 5), (2, 14), (3, 31), (4, 32), (5, 33), (5, 6), (1, 15)]
    free = MaskingConfig(token_fraction=0.4, guided=False)
    for number in range(20):
        for ours, none in zip(chosen(example(pairs=pairs), number, free), chosen(example(), number, free), strict=True):
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
    np.testing.assert_allclose(patch_counts[patches.level_slice("camouflage")] / draws, 1 / 9, atol=0.06)
    np.testing.assert_allclose(patch_counts[patches.level_slice("grey_to_color")] / draws, 2 / 16, atol=0.06)


def test_aligned_pairs_come_first_and_only_one_side_is_masked():
    pair = (2, 40)  # "dress" and a patch of level 5
    sides = collections.Counter()
    for number in range(200):
        tokens, masked = chosen(example(pairs=[pair]), number, MaskingConfig(token_fraction=0.2))
        sides[(bool(tokens[2]), bool(masked[40]))] += 1
    # Its token or its patch is always masked. Both only where the random filling happens to take the other side too.
    assert sides[(False, False)] == 0
    only_token, only_patch = sides[(True, False)], sides[(False, True)]
    assert 60 < only_token < 120 and 50 < only_patch < 120


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
    item = choose_masked(example(), tf.constant([3, 1]), MaskingConfig(token_fraction=0.6, max_tokens=7), CONTINUATION)
    result = mask_tokens(item, tf.constant([3, 1]), MaskingConfig(max_tokens=7), VOCABULARY)
    positions, used = result["masked_lm_positions"].numpy(), result["masked_lm_weights"].numpy()
    assert used.tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert (np.diff(positions[:3]) > 0).all() and not positions[3:].any()
    np.testing.assert_array_equal(result["masked_lm_ids"].numpy()[:3], item["input_ids"].numpy()[positions[:3]])
    untouched = ~item["masked_tokens"].numpy()
    np.testing.assert_array_equal(result["input_ids"].numpy()[untouched], item["input_ids"].numpy()[untouched])


def test_eighty_ten_ten():
    kinds = collections.Counter()
    config = MaskingConfig(token_fraction=1.0)
    for number in range(300):
        seed = tf.constant([9, number])
        item = choose_masked(example(), seed, config, CONTINUATION)
        result = mask_tokens(item, seed, config, VOCABULARY)["input_ids"].numpy()[1:6]
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
    alone = [chosen(item, number, config) for number in range(5)]
    dataset = tf.data.Dataset.range(5).map(lambda n: choose_masked(item, tf.stack([3, n]), config, CONTINUATION))
    for (tokens, masked), result in zip(alone, dataset.as_numpy_iterator()):
        np.testing.assert_array_equal(tokens, result["masked_tokens"])
        np.testing.assert_array_equal(masked, result["masked_patches"])
