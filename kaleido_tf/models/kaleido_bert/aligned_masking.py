"""Alignment-guided masking (Kaleido-BERT, section 3.4): which tokens and patches of an example are
masked.

A = aligned (token, patch) pairs, S = text length. Masks: True is masked.
"""

import numpy as np
import tensorflow as tf

from kaleido_tf import patches
from kaleido_tf.data.sampling import Draw, fold
from kaleido_tf.data.token_masking import MaskingConfig, fill_tokens, maskable_words

PATCH_BUDGETS = (1, 2, 3)
"""Masked patches of levels 3, 4 and 5 (section 3.4)."""


def choose_masked(
    example: dict,
    seed: tf.Tensor,
    config: MaskingConfig,
    is_continuation: tf.Tensor,
    budgets: tuple[int, int, int] = PATCH_BUDGETS,
) -> dict:
    """Chooses tokens and patches; aligned pairs first, then at random (section 3.4).

    Args:
      example: `input_ids` [S] int32, `input_mask` [S] int32; `alignment_tokens` [A] int32 places in
        `input_ids` (inside the text), `alignment_patches` [A] int32 among the 55. No pairs (A = 0):
        everything is chosen at random.
      is_continuation: [vocabulary] bool. budgets: patches of levels 3 to 5 to mask.
    Adds: `masked_tokens` [S] bool, `masked_patches` [55] bool.
    """
    words, maskable, budget = maskable_words(example, seed, config, is_continuation)
    pairs = tf.stack([example["alignment_tokens"], example["alignment_patches"]], axis=1)
    if not config.guided:
        pairs = pairs[:0]
    sides = _pair_sides(pairs, words, maskable)
    tokens, chosen_patches = _choose_aligned(pairs, sides, budget, seed, budgets)
    tokens = fill_tokens(
        tokens, words, maskable, budget, seed, last=_partners(sides[1], chosen_patches, sides[0])
    )
    chosen_patches = _fill_patches(
        chosen_patches,
        fold(seed, Draw.PATCHES),
        budgets,
        last=_partners(sides[0], tokens, sides[1]),
    )
    return {**example, "masked_tokens": tokens, "masked_patches": chosen_patches}


def _pair_sides(pairs, words, maskable):
    """The two sides of every pair: the places of its word [A, S] bool, its patch [A, 55] bool."""
    pair_words = maskable & (words == tf.gather(words, pairs[:, 0])[:, None])
    return pair_words, tf.one_hot(pairs[:, 1], patches.NUM_PATCHES, True, False)


def _partners(sides, chosen, others):
    """What stands on the other side of pairs whose one side ([A, n], chosen [n]) is masked: [m]
    bool of others [A, m].
    """
    taken = tf.reduce_any(sides & chosen, axis=1, keepdims=True)
    return tf.reduce_any(others & taken, axis=0)


def _choose_aligned(pairs, sides, budget, seed, patch_budgets):
    """Walks the pairs in random order; of each, either its token's word or its patch is masked.

    A word has pairs with several patches, and a patch with several words: neither is taken if
    something that it is paired with was, so that no pair loses both sides.
    """
    count = tf.shape(pairs)[0]
    order = tf.argsort(tf.random.stateless_uniform([count], fold(seed, Draw.PAIR_ORDER)))
    prefers_token = tf.gather(
        tf.random.stateless_uniform([count], fold(seed, Draw.PAIR_SIDE)) < 0.5, order
    )
    # What does not depend on the pairs before is worked out for all pairs at once: the walk itself
    # costs many small operations.
    pair_words, pair_patches = (tf.gather(side, order) for side in sides)
    of_word, of_patch = _common(pair_words, pair_patches), _common(pair_patches, pair_words)
    sizes = tf.reduce_sum(tf.cast(pair_words, tf.int32), axis=1)
    levels = tf.gather(_LEVEL_OF_PATCH, tf.gather(pairs[:, 1], order))
    room = tf.constant(_level_budgets(patch_budgets))

    def step(i, tokens, chosen, room, budget):
        word, patch, level = pair_words[i], pair_patches[i], levels[i]
        untouched = ~tf.reduce_any(tokens & word) & ~tf.reduce_any(chosen & patch)
        token_fits = (sizes[i] > 0) & (sizes[i] <= budget) & ~tf.reduce_any(chosen & of_word[i])
        patch_fits = (room[level] > 0) & ~tf.reduce_any(tokens & of_patch[i])
        take_token = untouched & token_fits & (prefers_token[i] | ~patch_fits)
        take_patch = untouched & patch_fits & ~take_token
        taken = tf.cast(take_patch, tf.int32) * tf.one_hot(
            level, len(patches.LEVEL_NAMES), dtype=tf.int32
        )
        return (
            i + 1,
            tokens | (word & take_token),
            chosen | (patch & take_patch),
            room - taken,
            budget - tf.cast(take_token, tf.int32) * sizes[i],
        )

    def goes_on(i, tokens, chosen, room, budget):
        return (i < count) & ((budget > 0) | tf.reduce_any(room > 0))

    start = (
        0,
        tf.zeros([sides[0].shape[1]], tf.bool),
        tf.zeros([patches.NUM_PATCHES], tf.bool),
        room,
        budget,
    )
    _, tokens, chosen, *_ = tf.while_loop(goes_on, step, start, parallel_iterations=1)
    return tokens, chosen


def _common(sides, others):
    """For each pair, the other sides of all pairs that share its side: [A, n], [A, m] -> [A, m]
    bool.
    """
    sides, others = tf.cast(sides, tf.float32), tf.cast(others, tf.float32)
    return tf.matmul(tf.matmul(sides, sides, transpose_b=True), others) > 0


_LEVEL_OF_PATCH = np.repeat(
    np.arange(len(patches.LEVEL_NAMES), dtype=np.int32), list(patches.LEVEL_PATCHES.values())
)


def _level_budgets(patch_budgets) -> np.ndarray:
    """[5]: how many patches of each level are masked."""
    budgets = dict(zip(patches.MASKED_LEVELS, patch_budgets))
    return np.array([budgets.get(level, 0) for level in patches.LEVEL_NAMES], np.int32)


def _fill_patches(chosen, seed, patch_budgets, last):
    """Adds random patches level by level until every budget is met exactly; those of `last` [55]
    bool after all others.
    """
    draws = tf.random.stateless_uniform([patches.NUM_PATCHES], seed) - tf.cast(last, tf.float32)
    priority = tf.where(chosen, 2.0, draws)
    parts = []
    budgets = dict(zip(patches.MASKED_LEVELS, patch_budgets))
    for level, size in patches.LEVEL_PATCHES.items():
        part = priority[patches.level_slice(level)]
        picked = tf.math.top_k(part, budgets.get(level, 0)).indices
        parts.append(tf.reduce_any(tf.one_hot(picked, size, True, False), axis=0))
    return tf.concat(parts, axis=0)
