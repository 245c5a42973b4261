"""What captions are had without a model: the text of the training product with the most similar
photo, and of any.

E = products that are described.
"""

from collections.abc import Sequence

import numpy as np

from kaleido_tf.data.coarse_features import read_coarse_features
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.evaluation.nearest_neighbours import image_vectors, nearest
from kaleido_tf.evaluation.photo_views import photos_of


def nearest_texts(
    training: RecordTable,
    texts: Sequence[str],
    table: RecordTable,
    records: Sequence[Sequence[int]],
) -> list[str]:
    """[E]: of each product the text whose photo, as it is, is nearest to any of its own.

    Args: texts: of the training photos, in the order of `photos_of`. records: of each product, the
      numbers of its photos in `table`.
    """
    plain = photos_of(training).plain
    ours, theirs = image_vectors(read_coarse_features(training)[plain], read_coarse_features(table))
    numbers, cosines = (part[:, 0] for part in nearest(ours, theirs, 1))
    best = [each[int(np.argmax(cosines[list(each)]))] for each in records]
    return [texts[numbers[record]] for record in best]


def random_texts(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """`count` texts of training, any."""
    drawn = np.random.default_rng(seed).integers(len(texts), size=count)
    return [texts[number] for number in drawn]
