import numpy as np
import pytest
import tensorflow as tf

from kaleido_tf.data.text_lengths import TEXT_STEP, grouped_by_length, trim_texts


@pytest.mark.parametrize("head", [0, 3, 7, 200])
@pytest.mark.parametrize("count", [0, 5, 40, 43])
def test_groups_have_texts_of_like_length_and_every_place_comes_once(count, head):
    lengths = np.random.default_rng(1).integers(3, 64, count)
    order = grouped_by_length(np.random.default_rng(2), lengths, 8, head)
    assert sorted(order.tolist()) == list(range(count))
    groups = (count - min(head, count)) // 8
    begin = min(head, count)
    found = [lengths[order[begin + 8 * n :][:8]] for n in range(groups)]
    spans = sorted((group.min(), group.max()) for group in found)
    for (_, last), (first, _) in zip(spans, spans[1:]):  # no group reaches into the next one
        assert last <= first
    assert groups < 3 or [tuple(group) for group in found] != sorted(map(tuple, found))


def test_what_is_left_over_is_of_any_length():
    lengths = np.arange(3, 23)
    order = grouped_by_length(np.random.default_rng(0), lengths, 6, 4)
    # 20 places: 4 that complete an earlier group, two whole groups, 4 that begin another
    assert order[:4].tolist() == [0, 1, 2, 3] and order[-4:].tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize(("used", "kept"), [(3, 16), (16, 16), (17, 32), (39, 40)])
def test_texts_are_cut_where_the_longest_ends(used, kept):
    assert TEXT_STEP == 16
    mask = np.zeros([2, 40], np.int32)
    mask[0, :2] = mask[1, :used] = 1
    ids, positions = np.arange(80, dtype=np.int32).reshape(2, 40), tf.constant([[1], [2]])
    batch = {
        "input_ids": tf.constant(ids),
        "input_mask": tf.constant(mask),
        "segment_ids": tf.zeros([2, 40], tf.int32),
        "masked_lm_positions": positions,
    }
    cut = trim_texts(batch)
    np.testing.assert_array_equal(cut["input_ids"], ids[:, :kept])
    np.testing.assert_array_equal(cut["input_mask"], mask[:, :kept])
    assert cut["segment_ids"].shape == (2, kept) and cut["masked_lm_positions"] is positions
