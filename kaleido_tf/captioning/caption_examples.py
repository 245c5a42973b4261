"""Records to batches of captioning: each image with its own text, some of whose word pieces are to
be predicted.

S = text length, P = patches. All randomness comes from (seed, position).
"""

import numpy as np
import tensorflow as tf

from kaleido_tf.captioning.caption_config import CAUSAL, FULL, CaptionTraining
from kaleido_tf.data.own_text_examples import OwnTextExamples, row_image
from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.data.sampling import Draw, fold, row_seed
from kaleido_tf.text import Vocabulary

UNCHANGED, RANDOM = 0.1, 0.1
"""Shares of the word pieces to be predicted that stay, or are another one, instead of [MASK]."""


class CaptionExamples(OwnTextExamples):
    """The examples of a run, dicts of `input_ids`, `input_mask`, `segment_ids` [B, S],
    `patch_features`, `patch_boxes`, and what is to be predicted: `caption_positions`,
    `caption_ids` [B, S] int32, `caption_weights` [B, S] (1 used, 0 an unused slot at position 0).

    Args: settings: of `attention` and `masked_share`.
    """

    def __init__(
        self, table: RecordTable, vocabulary: Vocabulary, settings: CaptionTraining, seed: int
    ):
        share, with_end = settings.masked_share, settings.attention != FULL

        def make(row):
            text = text_inputs(row["input_ids"], row["used"])
            if settings.attention == CAUSAL:
                targets = next_pieces(text)
            else:
                targets = caption_targets(text, row_seed(row, seed), share, with_end, vocabulary)
            return {**targets, **row_image(row, table)}

        super().__init__(table, make, seed)


def next_pieces(example: dict) -> dict:
    """Has each place of a text ([S] each) predict the piece that stands behind it, [SEP] too. Adds
    the `caption_...` of `CaptionExamples`.
    """
    ids, mask = example["input_ids"], example["input_mask"]
    used = tf.pad(mask[1:], [[0, 1]])  # a piece stands behind all but the last
    return {
        **example,
        "caption_positions": tf.range(ids.shape[0]) * used,
        "caption_ids": tf.pad(ids[1:], [[0, 1]]) * used,
        "caption_weights": tf.cast(used, tf.float32),
    }


def caption_targets(
    example: dict, seed: tf.Tensor, share: float, with_end: bool, vocabulary: Vocabulary
) -> dict:
    """Chooses and hides what is to be predicted of a text ([S] each), a `share` of its word pieces
    and at least one: 80% [MASK], 10% a random word piece, 10% as it is. `with_end`: [SEP] is always
    among them and hidden, so that a text learns to end. Adds the `caption_...` of
    `CaptionExamples`.
    """
    ids, mask = example["input_ids"], example["input_mask"]
    length = ids.shape[0]
    places, end = tf.range(length), tf.reduce_sum(mask) - 1
    words = (places > 0) & (places < end)
    draws = tf.where(words, tf.random.stateless_uniform([length], fold(seed, Draw.TOKENS)), 2.0)
    chosen = words & ((draws < share) | (draws == tf.reduce_min(draws)))
    if with_end:
        chosen |= places == end
    kinds = tf.random.stateless_uniform([length], fold(seed, Draw.REPLACEMENT))
    ordinary = np.flatnonzero(~vocabulary.is_special).astype(np.int32)
    others = tf.random.stateless_uniform(
        [length], fold(seed, Draw.RANDOM_TOKEN), 0, len(ordinary), dtype=tf.int32
    )
    kept = tf.where(kinds < UNCHANGED + RANDOM, tf.gather(ordinary, others), vocabulary.mask_id)
    kept = tf.where((kinds < UNCHANGED), ids, kept)
    hidden = tf.where(places == end, vocabulary.mask_id, kept)
    positions = tf.cast(tf.where(chosen)[:, 0], tf.int32)
    unused = [[0, length - tf.shape(positions)[0]]]

    def pad(values):
        return tf.ensure_shape(tf.pad(values, unused), [length])

    return {
        **example,
        "input_ids": tf.where(chosen, hidden, ids),
        "caption_positions": pad(positions),
        "caption_ids": pad(tf.gather(ids, positions)),
        "caption_weights": pad(tf.ones(tf.shape(positions))),
    }
