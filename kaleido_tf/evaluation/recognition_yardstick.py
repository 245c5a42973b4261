"""The yardstick of recognition: nearest neighbours among the training photos, by what the model
sees of them. Every photo is looked at once, as it is, whatever its views.

N = training photos, E = evaluated photos.
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
from kaleido_tf.evaluation.photo_views import photos_of
from kaleido_tf.text import Vocabulary


@dataclasses.dataclass(frozen=True)
class Yardstick:
    """What it predicts of each evaluated photo, [E] int, and how its neighbours vote."""

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
    """The yardstick of a run. How its neighbours vote is chosen on training photos that are held
    out, never on the evaluated ones.

    Args: labels: [N] int of the training photos. modalities: both, image or text.
    """
    shown = [(table, photos_of(table).plain) for table in (training, evaluated)]
    parts = []
    if modalities != "text":
        parts.append(image_vectors(*(read_coarse_features(table)[plain] for table, plain in shown)))
    if modalities != "image":
        special = np.flatnonzero(vocabulary.is_special)
        texts = (table.sequences[table.texts[plain]] for table, plain in shown)
        parts.append(text_vectors(*texts, len(vocabulary), special))
    ours, theirs = (side_by_side(vectors) for vectors in zip(*parts))
    products = training.product_ids[shown[0][1]]
    vote = choose_vote(ours, labels, products, num_classes, seed)
    found = nearest(ours, theirs, vote.neighbours)
    return Yardstick(voted(*found, labels, num_classes, vote), vote)
