"""Named photos as training and evaluation of pairs show them.

B = batch, s = pixels a side of the model's photos.
"""

import tensorflow as tf

from kaleido_tf.data.named_photos import NamedPhotos
from kaleido_tf.data.photos import cut_resized, mirrored_by_chance, resized


class ShownPhotos:
    """Training shows a part of each photo, mirrored perhaps; evaluation all of it (FashionViL's
    release, FashionIQ and Polyvore).

    Args: side: s, at most that of the photos. smallest_cut: share of a photo's area that a part has
      at least. mirror_probability: how often a part is mirrored.
    """

    def __init__(
        self, photos: NamedPhotos, side: int, smallest_cut: float, mirror_probability: float
    ):
        self._photos, self._side = photos, side
        self._smallest_cut, self._mirror_probability = smallest_cut, mirror_probability

    def part(self, photo: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """[s, s, 3] uint8 of a photo, as the seed `draw` [2] says."""
        part = cut_resized(photo, self._side, self._smallest_cut, draw)
        return mirrored_by_chance(part, self._mirror_probability, draw)

    def whole(self, photo: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """[s, s, 3] uint8 of a photo; nothing is drawn."""
        del draw
        return resized(photo, self._side)

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """{"photo": [B, s, s, 3] uint8}: one pass over all photos, whole."""
        read = self._photos.reader()
        dataset = tf.data.Dataset.range(len(self._photos)).map(
            lambda number: {"photo": resized(read(number), self._side)}, tf.data.AUTOTUNE
        )
        return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)
