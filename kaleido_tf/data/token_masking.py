"""Masked language modelling: which word pieces of a text are masked, and what stands in their
place.

Transforms take a dict of tensors of one example and return a new one; all randomness comes from
`seed`. S = text length, K = most tokens masked. Masks: True is masked.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.sampling import Draw, fold
from kaleido_tf.text import Vocabulary


@dataclasses.dataclass(frozen=True)
class MaskingConfig:
    """How much of a text is masked: `token_fraction` of its word pieces, at most `max_tokens`, by
    words or by pieces.

    `guided`: aligned pairs come first (section 3.4); False: everything is chosen at random, as if
    there were none. `independent`: each piece (or word) is masked by a draw of its own, and
    replaced by any token, special ones too, as in MVLT's release; False: as many as the share says,
    at least one, and replaced by ordinary tokens. `single_draw` (of independent masking): the draw
    that masks a piece (or word) also says whether [MASK], another token or its own stands there, so
    that the pieces of a word fare alike, as in FashionViL's release; False: each piece has one more
    draw for that.
    """

    token_fraction: float = 0.15
    max_tokens: int = 10
    whole_words: bool = False
    guided: bool = True
    independent: bool = False
    single_draw: bool = False

    @classmethod
    def of(
        cls, settings: ExamplesConfig, max_tokens: int, single_draw: bool = False
    ) -> "MaskingConfig":
        """As a run's settings say."""
        guided, independent = (settings.masking == name for name in ("aligned", "independent"))
        return cls(
            settings.token_fraction,
            max_tokens,
            settings.whole_words,
            guided,
            independent,
            single_draw and independent,
        )


def choose_random_tokens(
    example: dict, seed: tf.Tensor, config: MaskingConfig, is_continuation: tf.Tensor
) -> dict:
    """Chooses tokens at random; as `choose_masked` without pairs and patches. Adds `masked_tokens`
    [S] bool.
    """
    words, maskable, budget = maskable_words(example, seed, config, is_continuation)
    none = tf.zeros_like(maskable)
    return {**example, "masked_tokens": fill_tokens(none, words, maskable, budget, seed, last=none)}


def maskable_words(example, seed, config, is_continuation):
    """`_words`, and how many places are to be masked: a share, of which at least one where there is
    any, or as many as have a draw below it.
    """
    words, maskable = _words(example, config.whole_words, is_continuation)
    used = tf.reduce_sum(tf.cast(maskable, tf.int32))
    if config.independent:
        hit = maskable & (_word_draws(words, seed) < config.token_fraction)
        return words, maskable, tf.minimum(tf.reduce_sum(tf.cast(hit, tf.int32)), config.max_tokens)
    count = tf.cast(tf.round(config.token_fraction * tf.cast(used, tf.float32)), tf.int32)
    return words, maskable, tf.minimum(tf.clip_by_value(count, 1, config.max_tokens), used)


def _word_draws(words, seed):
    """A draw in [0, 1) for every place [S]; all places of a word share one, so that a word is taken
    whole.
    """
    length = words.shape[0]
    draws = tf.random.stateless_uniform([length], fold(seed, Draw.TOKENS))
    return tf.gather(draws, tf.clip_by_value(words, 0, length - 1))


def _words(example, whole_words, is_continuation):
    """The word number of every place [S] (or a number of its own) and which places may be masked
    [S] bool.
    """
    ids, length = example["input_ids"], example["input_ids"].shape[0]
    places = tf.range(length)
    last = tf.reduce_sum(example["input_mask"]) - 1  # [SEP]
    maskable = (places > 0) & (places < last)
    if not whole_words:
        return places, maskable
    return tf.cumsum(1 - tf.cast(tf.gather(is_continuation, ids), tf.int32)), maskable


def fill_tokens(tokens, words, maskable, budget, seed, last):
    """Adds words in the order of their draws as long as they fit the budget; those of `last` [S]
    bool after all others.
    """
    length = words.shape[0]
    free = maskable & ~tokens
    room = budget - tf.reduce_sum(tf.cast(tokens, tf.int32))
    priority = _word_draws(words, seed) + tf.cast(last, tf.float32)
    sizes = tf.math.unsorted_segment_sum(tf.cast(free, tf.int32), words, length + 1)
    size = tf.gather(sizes, words)
    free &= size <= room
    order = tf.argsort(tf.where(free, priority, 3.0), stable=True)
    taken = tf.cumsum(tf.gather(tf.where(free, 1, 0), order))
    # A word counts as taken only if its last place still fits; its places stand side by side in the
    # order.
    ends = tf.math.unsorted_segment_max(taken, tf.gather(words, order), length + 1)
    fits = tf.gather(ends, tf.gather(words, order)) <= room
    picked = tf.scatter_nd(order[:, None], fits & tf.gather(free, order), [length])
    return tokens | picked


def mask_tokens(
    example: dict, seed: tf.Tensor, config: MaskingConfig, vocabulary: Vocabulary
) -> dict:
    """Masked language modelling (task 1): 80% [MASK], 10% a random word piece, 10% unchanged.

    Changes `input_ids`; adds `masked_lm_positions` [K] int32 in rising order, `masked_lm_ids` [K]
    int32 and `masked_lm_weights` [K] float32 (1 used, 0 an unused slot at position 0).
    """
    ids, masked = example["input_ids"], example["masked_tokens"]
    positions = tf.cast(tf.where(masked)[: config.max_tokens, 0], tf.int32)
    count = tf.shape(positions)[0]
    draws = _replacement_draws(example, seed, config, vocabulary)
    others = _replacements(vocabulary, config.independent)
    random_ids = tf.gather(
        others,
        tf.random.stateless_uniform(
            [ids.shape[0]], fold(seed, Draw.RANDOM_TOKEN), 0, len(others), dtype=tf.int32
        ),
    )

    def pad(values):
        return tf.ensure_shape(
            tf.pad(values, [[0, config.max_tokens - count]]), [config.max_tokens]
        )

    return {
        **example,
        "input_ids": replace_tokens(ids, masked, draws, random_ids, vocabulary),
        "masked_lm_positions": pad(positions),
        "masked_lm_ids": pad(tf.gather(ids, positions)),
        "masked_lm_weights": pad(tf.ones([count])),
    }


def _replacement_draws(example, seed, config, vocabulary):
    """[S], in [0, 1) where a token is masked: what stands in its place (`replace_tokens`)."""
    if config.single_draw:
        is_continuation = tf.constant(vocabulary.is_continuation)
        words, _ = _words(example, config.whole_words, is_continuation)
        return _word_draws(words, seed) / config.token_fraction
    return tf.random.stateless_uniform(example["input_ids"].shape, fold(seed, Draw.REPLACEMENT))


def replace_tokens(ids, masked, draws, random_ids, vocabulary: Vocabulary) -> tf.Tensor:
    """Ids [S] where a masked place with a draw below 0.8 is [MASK], below 0.9 its random id, and
    else as it was. masked [S] bool, draws [S] in [0, 1), random_ids [S].
    """
    replaced = tf.where(draws < 0.8, vocabulary.mask_id, tf.where(draws < 0.9, random_ids, ids))
    return tf.where(masked, replaced, ids)


def _replacements(vocabulary: Vocabulary, special_too: bool) -> np.ndarray:
    """The ids that may stand in a masked one's place, int32."""
    every = np.arange(len(vocabulary), dtype=np.int32)
    return every if special_too else every[~vocabulary.is_special]
