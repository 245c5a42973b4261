"""Photos that were recorded in several views (`kaleido_tf.records.views`): what is evaluated is a
photo, or a pair of a text and a photo, once, and its score is the mean over the views that there
are.

N = pairs or photos, M = pairs of a text and a view, or records.
"""

import collections
import dataclasses
import os

import numpy as np

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.evaluation.candidates import Pairs


@dataclasses.dataclass(frozen=True)
class Photos:
    """The N photos that M records are views of, in the order of their first records.

    Attributes: plain: [N] int, of each photo the record that shows it as it is. records: [M] int,
      the records of a photo one after the other. counts: [N] int, how many these are.
    """

    plain: np.ndarray
    records: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.plain)

    def mean(self, scores: np.ndarray) -> np.ndarray:
        """[N, ...] of the scores [M, ...] of all records."""
        return mean_over_views(scores[self.records], self.counts)


def photos_of(table: RecordTable) -> Photos:
    """The photos of a table. Those of one id in two folders are two."""
    found: dict[tuple, list[int]] = {}
    copies = collections.Counter()
    folders = [os.path.dirname(file) for file in table.files]
    files = np.repeat(np.arange(len(folders)), np.diff(table.file_starts))
    for number in np.argsort(table.views, kind="stable").tolist():
        photo = (folders[files[number]], table.image_ids[number])
        copy = copies[photo, table.views[number]]  # the same record may stand there twice
        copies[photo, table.views[number]] += 1
        found.setdefault((*photo, copy), []).append(number)
    views = sorted(found.values(), key=min)
    counts = np.array([len(numbers) for numbers in views])
    return Photos(np.array([first for first, *_ in views]), np.concatenate(views), counts)


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
