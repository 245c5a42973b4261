"""Photos that were recorded in several views (`kaleido_tf.records.views`): a pair is scored with
every view of its image that there is, and its score is their mean.

N = pairs, M = pairs of a text and a view.
"""

import dataclasses

import numpy as np

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.evaluation.candidates import Pairs


def pairs_of_views(table: RecordTable, pairs: Pairs) -> tuple[Pairs, np.ndarray]:
    """Each pair once for every view of its image, one after the other.

    Returns: (the M pairs, [N] int views of each pair's image). Where photos have one view only, the
      pairs are those that came.
    """
    records = table.records_of_photos()
    of_pairs = [records[image] for image in table.image_ids[pairs.images]]
    counts = np.array([len(views) for views in of_pairs])
    viewed = dataclasses.replace(
        pairs,
        texts=np.repeat(pairs.texts, counts),
        images=np.concatenate(of_pairs).astype(pairs.images.dtype),
        labels=np.repeat(pairs.labels, counts),
        lists=np.repeat(pairs.lists, counts),
    )
    return viewed, counts


def mean_over_views(scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """[N, ...] of the scores [M, ...] of pairs of a text and a view.

    Args: counts: [N] as `pairs_of_views` gives them.
    """
    starts = np.cumsum(counts) - counts
    shares = counts.reshape(-1, *[1] * (scores.ndim - 1)).astype(scores.dtype)
    return np.add.reduceat(scores, starts, axis=0) / shares
