"""Exchanging what records hold of their photos, within sub-categories (see exchanged_photos.py).

N = records.
"""

import numpy as np
import tensorflow as tf

from kaleido_tf.records.record import Layout

OF_THE_PHOTO = ("image_size", "crop_box")


def others(groups: np.ndarray, seed: int) -> np.ndarray:
    """For each of [N] records another one of its group, each once; alone in its group: itself."""
    generator, chosen = np.random.default_rng(seed), np.arange(len(groups))
    for group in np.unique(groups):
        members = generator.permutation(np.flatnonzero(groups == group))
        chosen[members] = np.roll(members, 1)
    return chosen


def exchanged(serialized: list[bytes], layout: Layout, seed: int) -> list[bytes]:
    """The records, each with what another one of its sub-category holds of its photo."""
    boxes = () if layout.holds_pixels else ("patch_boxes",)
    examples = [tf.train.Example.FromString(record) for record in serialized]
    groups = [e.features.feature["subcategory_id"].int64_list.value[0] for e in examples]
    results = []
    for number, other in enumerate(others(np.array(groups), seed)):
        result = tf.train.Example.FromString(serialized[number])
        for name in (*OF_THE_PHOTO, *boxes, *layout.content):
            result.features.feature[name].CopyFrom(examples[other].features.feature[name])
        results.append(result.SerializeToString())
    return results
