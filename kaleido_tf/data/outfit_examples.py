"""Outfits over pixel records to batches of two items that go together.

O = outfits, I = photos, B = batch, s = pixels a side of the model's photos.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from kaleido_tf.data.batch_parts import WHOLE, Part, batches_of_part, rows_of_part
from kaleido_tf.data.named_photos import NamedPhotos
from kaleido_tf.data.outfit_config import OutfitConfig
from kaleido_tf.data.sampling import Draw, fold, row_seed
from kaleido_tf.data.shown_photos import ShownPhotos
from kaleido_tf.errors import InputError


class OutfitExamples:
    """The examples of a run (`training.run.Examples`): dicts of `photo`, `answer_photo` (uint8, [B,
    s, s, 3]), `category`, `answer_category` and `answer_number` [B] int32, the answer's photo.

    In training photos are cut and mirrored as those of triplets, and every epoch shows each outfit
    once, by two items that are drawn. What is drawn is a function of (seed, epoch, position).

    Args: outfits: names of the items of each, two or more. photos: of all their names. categories:
      [I] int, of the photos. side: s, at most theirs.
    """

    def __init__(
        self,
        outfits: Sequence[Sequence[str]],
        photos: NamedPhotos,
        categories: np.ndarray,
        side: int,
        settings: OutfitConfig,
        seed: int,
    ):
        self.photos, self._categories = photos, np.asarray(categories, np.int32)
        self._settings, self._seed = settings, seed
        self._shown = ShownPhotos(photos, side, settings.smallest_cut, settings.mirror_probability)
        self._outfits = [photos.numbers_of(outfit) for outfit in outfits]
        self._sizes = np.array([len(outfit) for outfit in self._outfits])

    def __len__(self) -> int:
        return len(self._outfits)

    @property
    def digest(self) -> int:
        """A number that says which outfits and photos these are, wherever their files lie."""
        names = self.photos.image_ids
        rows = ["\t".join(names[outfit]) for outfit in self._outfits]
        text = "\n".join([self.photos.contents, *rows, self._categories.tobytes().hex()])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)

    def describe(self) -> str:
        """How many outfits of how many photos."""
        return f"{len(self)} outfits of {len(self.photos)} photos"

    def notes(self) -> list[str]:
        """Nothing to be known."""
        return []

    def sample_features(self, count: int) -> np.ndarray:
        """Raises: InputError, as photos have none."""
        raise InputError(f"{count} images of patch features are needed. Received: photos")

    def pairs(self, epoch: int) -> np.ndarray:
        """[O, 2] int32: the photos of an item and of its answer that an epoch shows of each outfit.

        Two different ones, drawn anew in every epoch; or, as in the release, drawn once from all
        items, so that one may be both.
        """
        fixed = self._settings.pairs == "release"
        generator = np.random.default_rng([self._seed, 0 if fixed else epoch, 2])
        first = generator.integers(0, self._sizes)
        if fixed:
            second = generator.integers(0, self._sizes)
        else:
            second = (first + generator.integers(1, self._sizes)) % self._sizes
        pairs = np.stack([first, second], axis=1)
        return np.stack([outfit[pair] for outfit, pair in zip(self._outfits, pairs)])

    def training_batches(
        self, batch_size: int, start: int = 0, part: Part = WHOLE
    ) -> tf.data.Dataset:
        """Endless batches from example `start` on, or a part of each, in an order that every epoch
        draws anew.
        """

        def rows():
            epoch, skip = divmod(start, len(self))
            while True:
                order = np.random.default_rng([self._seed, epoch]).permutation(len(self))
                pairs = self.pairs(epoch)
                for place in range(skip, len(self)):
                    yield pairs[order[place]], epoch * len(self) + place
                epoch, skip = epoch + 1, 0

        signature = (tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.int64))
        dataset = tf.data.Dataset.from_generator(rows, output_signature=signature)
        return self._batches(dataset, self._shown.part, batch_size, part)

    def evaluation_batches(self, batch_size: int, part: Part = WHOLE) -> tf.data.Dataset:
        """One pass: the pairs of the first epoch in the order of the outfits, photos whole."""
        pairs = self.pairs(0), np.arange(len(self), dtype=np.int64)
        dataset = tf.data.Dataset.from_tensor_slices(pairs)
        return self._batches(dataset, self._shown.whole, batch_size, part, len(self))

    def photo_batches(self, batch_size: int) -> tf.data.Dataset:
        """{"photo": [B, s, s, 3] uint8}: one pass over all photos."""
        return self._shown.batches(batch_size)

    def _batches(self, dataset, cut, batch_size, part, total=None):
        read, categories = self.photos.reader(), tf.constant(self._categories)

        def example(pair, position):
            draw = row_seed({"position": position}, self._seed)
            asking, answer = tf.unstack(pair, 2)
            return {
                "photo": cut(read(asking), draw),
                "answer_photo": cut(read(answer), fold(draw, Draw.OTHER_IMAGE)),
                "category": tf.gather(categories, asking),
                "answer_category": tf.gather(categories, answer),
                "answer_number": answer,
            }

        dataset = rows_of_part(dataset, batch_size, part, total)
        dataset = dataset.map(example, tf.data.AUTOTUNE, deterministic=True)
        return batches_of_part(dataset, batch_size, part, total).prefetch(tf.data.AUTOTUNE)
