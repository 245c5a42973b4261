"""Batches of texts of like length: a batch is computed as long as its longest text, and texts that
differ much make most of it padding.
"""

import numpy as np
import tensorflow as tf

TEXT_STEP = 16
"""Lengths that batches are cut to are multiples of it: each length is compiled once."""
_TEXT_AXES = ("input_ids", "input_mask", "segment_ids")


def grouped_by_length(
    generator: np.random.Generator, lengths: np.ndarray, group: int, head: int
) -> np.ndarray:
    """An order of examples in which each `group` has texts of like length; the groups themselves
    follow each other in a drawn order.

    Args: lengths: [n] of texts whose order was drawn. head: examples before the first group, which
      complete one that began before these. Returns: [n] int, every place once; the examples of
      `head`, and those that are left over for a last group, are of any length.
    """
    head = min(head, len(lengths))
    groups = (len(lengths) - head) // group
    others, grouped = np.split(np.arange(len(lengths)), [len(lengths) - groups * group])
    grouped = grouped[np.argsort(lengths[grouped], kind="stable")].reshape(groups, group)
    grouped = grouped[generator.permutation(groups)].reshape(-1)
    return np.concatenate([others[:head], grouped, others[head:]])


def trim_texts(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """A batch whose texts [B, S] are cut where the longest ends, or up to `TEXT_STEP` - 1 places
    later; what is cut off is padding alone.
    """
    used = tf.reduce_max(tf.reduce_sum(batch["input_mask"], axis=1))
    length = tf.maximum(-(-used // TEXT_STEP), 1) * TEXT_STEP
    return {**batch, **{name: batch[name][:, :length] for name in _TEXT_AXES}}
