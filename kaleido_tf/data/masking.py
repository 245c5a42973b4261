"""Alignment-guided masking (Kaleido-BERT, section 3.4) and masked language modelling.

Transforms take a dict of tensors of one example and return a new one; all randomness comes from `seed`.
S = text length, K = most tokens masked, A = aligned (token, patch) pairs. Masks: True is masked.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from kaleido_tf import patches
from kaleido_tf.text import Vocabulary

MASKED_LEVELS = ("camouflage", "grey_to_color", "blank_to_color")
"""Levels 3 to 5; levels 1 and 2 are never masked, since large patches make the task too hard."""


@dataclasses.dataclass(frozen=True)
class MaskingConfig:
    """How much of a text is masked: `token_fraction` of its word pieces, at most `max_tokens`, by words or by pieces.

    `guided`: aligned pairs come first (section 3.4); False: everything is chosen at random, as if there were none.
    """

    token_fraction: float = 0.15
    max_tokens: int = 10
    whole_words: bool = False
    guided: bool = True


PATCH_BUDGETS = (1, 2, 3)
"""Masked patches of levels 3, 4 and 5 (section 3.4)."""


def fold(seed: tf.Tensor, purpose: int) -> tf.Tensor:
    """A seed [2] of its own for each purpose within an example."""
    return tf.random.experimental.stateless_fold_in(seed, purpose)


def choose_masked(example: dict, seed: tf.Tensor, config: MaskingConfig, is_continuation: tf.Tensor,
                  budgets: tuple[int, int, int] = PATCH_BUDGETS) -> dict:
    """Chooses tokens and patches; aligned pairs first, then at random (section 3.4).

    Args:
      example: `input_ids` [S] int32, `input_mask` [S] int32; `alignment_tokens` [A] int32 places in `input_ids` (inside
        the text), `alignment_patches` [A] int32 among the 55. No pairs (A = 0): everything is chosen at random.
      is_continuation: [vocabulary] bool. budgets: patches of levels 3 to 5 to mask.
    Adds: `masked_tokens` [S] bool, `masked_patches` [55] bool.
    """
    words, maskable, budget = _maskable_words(example, config, is_continuation)
    pairs = tf.stack([example["alignment_tokens"], example["alignment_patches"]], axis=1)
    if not config.guided:
        pairs = pairs[:0]
    sides = _pair_sides(pairs, words, maskable)
    tokens, chosen_patches = _choose_aligned(pairs, sides, budget, seed, budgets)
    tokens = _fill_tokens(tokens, words, maskable, budget, fold(seed, 1), last=_partners(sides[1], chosen_patches, sides[0]))
    chosen_patches = _fill_patches(chosen_patches, fold(seed, 2), budgets, last=_partners(sides[0], tokens, sides[1]))
    return {**example, "masked_tokens": tokens, "masked_patches": chosen_patches}


def choose_random_tokens(example: dict, seed: tf.Tensor, config: MaskingConfig, is_continuation: tf.Tensor) -> dict:
    """Chooses tokens at random; as `choose_masked` without pairs and patches. Adds `masked_tokens` [S] bool."""
    words, maskable, budget = _maskable_words(example, config, is_continuation)
    none = tf.zeros_like(maskable)
    return {**example, "masked_tokens": _fill_tokens(none, words, maskable, budget, fold(seed, 1), last=none)}


def _maskable_words(example, config, is_continuation):
    """`_words`, and how many places are to be masked (at least one where there is any)."""
    words, maskable = _words(example, config.whole_words, is_continuation)
    used = tf.reduce_sum(tf.cast(maskable, tf.int32))
    wanted = tf.cast(tf.round(config.token_fraction * tf.cast(used, tf.float32)), tf.int32)
    return words, maskable, tf.minimum(tf.clip_by_value(wanted, 1, config.max_tokens), used)


def _words(example, whole_words, is_continuation):
    """The word number of every place [S] (or a number of its own) and which places may be masked [S] bool."""
    ids, length = example["input_ids"], example["input_ids"].shape[0]
    places = tf.range(length)
    last = tf.reduce_sum(example["input_mask"]) - 1  # [SEP]
    maskable = (places > 0) & (places < last)
    if not whole_words:
        return places, maskable
    return tf.cumsum(1 - tf.cast(tf.gather(is_continuation, ids), tf.int32)), maskable


def _pair_sides(pairs, words, maskable):
    """The two sides of every pair: the places of its word [A, S] bool, its patch [A, 55] bool."""
    pair_words = maskable & (words == tf.gather(words, pairs[:, 0])[:, None])
    return pair_words, tf.one_hot(pairs[:, 1], patches.NUM_PATCHES, True, False)


def _partners(sides, chosen, others):
    """What stands on the other side of pairs whose one side ([A, n], chosen [n]) is masked: [m] bool of others [A, m]."""
    taken = tf.reduce_any(sides & chosen, axis=1, keepdims=True)
    return tf.reduce_any(others & taken, axis=0)


def _choose_aligned(pairs, sides, budget, seed, patch_budgets):
    """Walks the pairs in random order; of each, either its token's word or its patch is masked.

    A word has pairs with several patches, and a patch with several words: neither is taken if something that it is paired with
    was, so that no pair loses both sides.
    """
    count = tf.shape(pairs)[0]
    order = tf.argsort(tf.random.stateless_uniform([count], fold(seed, 3)))
    prefers_token = tf.gather(tf.random.stateless_uniform([count], fold(seed, 4)) < 0.5, order)
    # What does not depend on the pairs before is worked out for all pairs at once: the walk itself costs many small operations.
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
        taken = tf.cast(take_patch, tf.int32) * tf.one_hot(level, len(patches.LEVEL_NAMES), dtype=tf.int32)
        return (i + 1, tokens | (word & take_token), chosen | (patch & take_patch), room - taken,
                budget - tf.cast(take_token, tf.int32) * sizes[i])

    def goes_on(i, tokens, chosen, room, budget):
        return (i < count) & ((budget > 0) | tf.reduce_any(room > 0))

    start = (0, tf.zeros([sides[0].shape[1]], tf.bool), tf.zeros([patches.NUM_PATCHES], tf.bool), room, budget)
    _, tokens, chosen, *_ = tf.while_loop(goes_on, step, start, parallel_iterations=1)
    return tokens, chosen


def _common(sides, others):
    """For each pair, the other sides of all pairs that share its side: [A, n], [A, m] -> [A, m] bool."""
    sides, others = tf.cast(sides, tf.float32), tf.cast(others, tf.float32)
    return tf.matmul(tf.matmul(sides, sides, transpose_b=True), others) > 0


_LEVEL_OF_PATCH = np.repeat(np.arange(len(patches.LEVEL_NAMES), dtype=np.int32), list(patches.LEVEL_PATCHES.values()))


def _level_budgets(patch_budgets) -> np.ndarray:
    """[5]: how many patches of each level are masked."""
    budgets = dict(zip(MASKED_LEVELS, patch_budgets))
    return np.array([budgets.get(level, 0) for level in patches.LEVEL_NAMES], np.int32)


def _fill_tokens(tokens, words, maskable, budget, seed, last):
    """Adds words in random order as long as they fit the budget; those of `last` [S] bool after all others."""
    length = words.shape[0]
    free = maskable & ~tokens
    room = budget - tf.reduce_sum(tf.cast(tokens, tf.int32))
    draws = tf.random.stateless_uniform([length], seed)
    # All places of a word share the draw of its number, so that a word is taken whole.
    priority = tf.gather(draws, tf.clip_by_value(words, 0, length - 1)) + tf.cast(last, tf.float32)
    sizes = tf.math.unsorted_segment_sum(tf.cast(free, tf.int32), words, length + 1)
    size = tf.gather(sizes, words)
    free &= size <= room
    order = tf.argsort(tf.where(free, priority, 3.0), stable=True)
    taken = tf.cumsum(tf.gather(tf.where(free, 1, 0), order))
    # A word counts as taken only if its last place still fits; its places stand side by side in the order.
    ends = tf.math.unsorted_segment_max(taken, tf.gather(words, order), length + 1)
    fits = tf.gather(ends, tf.gather(words, order)) <= room
    picked = tf.scatter_nd(order[:, None], fits & tf.gather(free, order), [length])
    return tokens | picked


def _fill_patches(chosen, seed, patch_budgets, last):
    """Adds random patches level by level until every budget is met exactly; those of `last` [55] bool after all others."""
    draws = tf.random.stateless_uniform([patches.NUM_PATCHES], seed) - tf.cast(last, tf.float32)
    priority = tf.where(chosen, 2.0, draws)
    parts = []
    budgets = dict(zip(MASKED_LEVELS, patch_budgets))
    for level, size in patches.LEVEL_PATCHES.items():
        part = priority[patches.level_slice(level)]
        picked = tf.math.top_k(part, budgets.get(level, 0)).indices
        parts.append(tf.reduce_any(tf.one_hot(picked, size, True, False), axis=0))
    return tf.concat(parts, axis=0)


def mask_tokens(example: dict, seed: tf.Tensor, config: MaskingConfig, vocabulary: Vocabulary) -> dict:
    """Masked language modelling (task 1): 80% [MASK], 10% a random word piece, 10% unchanged.

    Changes `input_ids`; adds `masked_lm_positions` [K] int32 in rising order, `masked_lm_ids` [K] int32 and
    `masked_lm_weights` [K] float32 (1 used, 0 an unused slot at position 0).
    """
    ids, masked = example["input_ids"], example["masked_tokens"]
    positions = tf.cast(tf.where(masked)[: config.max_tokens, 0], tf.int32)
    count = tf.shape(positions)[0]
    draws = tf.random.stateless_uniform([ids.shape[0]], fold(seed, 5))
    ordinary = tf.constant(np.flatnonzero(~vocabulary.is_special).astype(np.int32))
    random_ids = tf.gather(
        ordinary, tf.random.stateless_uniform([ids.shape[0]], fold(seed, 6), 0, len(ordinary), dtype=tf.int32)
    )
    replaced = tf.where(draws < 0.8, vocabulary.mask_id, tf.where(draws < 0.9, random_ids, ids))

    def pad(values):
        return tf.ensure_shape(tf.pad(values, [[0, config.max_tokens - count]]), [config.max_tokens])

    return {
        **example,
        "input_ids": tf.where(masked, replaced, ids),
        "masked_lm_positions": pad(positions),
        "masked_lm_ids": pad(tf.gather(ids, positions)),
        "masked_lm_weights": pad(tf.ones([count])),
    }
