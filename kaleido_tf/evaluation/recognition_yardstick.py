"""The yardstick of recognition: nearest neighbours among the training records, by what the model
sees of them.

N = training records, E = evaluated records.
"""

import dataclasses

import numpy as np

from kaleido_tf.data.coarse_features import read_coarse_features
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.evaluation.nearest_neighbours import (
    Vote,
    choose_vote,
    image_vectors,
    nearest,
    side_by_side,
    text_vectors,
    voted,
)
from kaleido_tf.text import Vocabulary


@dataclasses.dataclass(frozen=True)
class Yardstick:
    """What it predicts of each evaluated record, [E] int, and how its neighbours vote."""

    predictions: np.ndarray
    vote: Vote


def measure_yardstick(
    training: RecordTable,
    evaluated: RecordTable,
    labels: np.ndarray,
    num_classes: int,
    modalities: str,
    vocabulary: Vocabulary,
    seed: int,
) -> Yardstick:
    """The yardstick of a run. How its neighbours vote is chosen on training records that are held
    out, never on the evaluated ones.

    Args: labels: [N] int of the training records. modalities: both, image or text.
    """
    parts = []
    if modalities != "text":
        parts.append(image_vectors(*map(read_coarse_features, (training, evaluated))))
    if modalities != "image":
        special = np.flatnonzero(vocabulary.is_special)
        texts = (table.sequences[table.texts] for table in (training, evaluated))
        parts.append(text_vectors(*texts, len(vocabulary), special))
    ours, theirs = (side_by_side(vectors) for vectors in zip(*parts))
    vote = choose_vote(ours, labels, training.product_ids, num_classes, seed)
    found = nearest(ours, theirs, vote.neighbours)
    return Yardstick(voted(*found, labels, num_classes, vote), vote)
