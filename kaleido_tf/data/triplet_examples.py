"""Triplets over pixel records to batches of text-guided image retrieval.

R = triplets that ask, B = batch, S = text length, s = pixels a side of the model's photos.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from kaleido_tf.data.batch_parts import WHOLE, Part, batches_of_part, rows_of_part
from kaleido_tf.data.named_photos import NamedPhotos
from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.data.sampling import Draw, fold, row_seed
from kaleido_tf.data.shown_photos import ShownPhotos
from kaleido_tf.data.triplet_config import TripletConfig
from kaleido_tf.data.triplets import Triplet
from kaleido_tf.errors import InputError
from kaleido_tf.text import Tokenizer, Vocabulary, sequence


class TripletExamples:
    """The examples of a run (`training.run.Examples`): dicts of `reference_photo`, `target_photo`
    [B, s, s, 3] uint8, `input_ids`, `input_mask` [B, S] int32, and `reference_number`,
    `target_number` [B] int32, equal where photos are one. Rows that ask nothing are left out.

    In training each photo is a part of it, mirrored perhaps; in evaluation all of it (FashionViL's
    release, FashionIQ). What is drawn is a function of (seed, epoch, position).

    Args: triplets: one at least that asks. photos: of all their names. side: s, at most theirs.

    Attributes: triplets: those that ask. references: [R] int32, their photos. sequences: [R, S]
      int32 of their texts; lengths: [R] int32 places used.
    """

    def __init__(
        self,
        triplets: Sequence[Triplet],
        photos: NamedPhotos,
        vocabulary: Vocabulary,
        text_length: int,
        side: int,
        settings: TripletConfig,
        seed: int,
    ):
        self.triplets = [triplet for triplet in triplets if triplet.is_query]
        self.photos, self._seed = photos, seed
        self._shown = ShownPhotos(photos, side, settings.smallest_cut, settings.mirror_probability)
        self._left_out = len(triplets) - len(self.triplets)
        self.references = photos.numbers_of(triplet.reference for triplet in self.triplets)
        self._targets = photos.numbers_of(triplet.target for triplet in self.triplets)
        texts = [triplet.text for triplet in self.triplets]
        padded, used = zip(
            *(sequence(ids, text_length, vocabulary) for ids in Tokenizer(vocabulary)(texts))
        )
        self.sequences, self.lengths = np.stack(padded), np.array(used, np.int32)

    def __len__(self) -> int:
        return len(self.triplets)

    @property
    def digest(self) -> int:
        """A number that says which triplets and photos these are, wherever their files lie."""
        rows = ["\t".join((t.reference, t.target, t.text)) for t in self.triplets]
        digest = hashlib.sha256("\n".join([self.photos.contents, *rows]).encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)

    def describe(self) -> str:
        """How many triplets over how many photos."""
        return f"{len(self)} triplets over {len(self.photos)} photos"

    def notes(self) -> list[str]:
        """What somebody who starts a run on these should know."""
        length, notes = self.sequences.shape[1], []
        cut = int((self.lengths == length).sum())
        if cut:
            notes.append(
                f"{cut} of {len(self)} texts fill all {length} places of --input_sequence_length or"
                " are cut off there"
            )
        if self._left_out:
            notes.append(f"{self._left_out} rows that ask nothing are not trained on")
        return notes

    def sample_features(self, count: int) -> np.ndarray:
        """Raises: InputError, as photos have none."""
        raise InputError(f"{count} images of patch features are needed. Received: photos")

    def training_batches(
        self, batch_size: int, start: int = 0, part: Part = WHOLE
    ) -> tf.data.Dataset:
        """Endless batches from triplet `start` on, or a part of each, in an order that every epoch
        draws anew.
        """

        def rows():
            epoch, skip = divmod(start, len(self))
            while True:
                order = np.random.default_rng([self._seed, epoch]).permutation(len(self))
                for place in range(skip, len(self)):
                    yield order[place], epoch * len(self) + place
                epoch, skip = epoch + 1, 0

        scalar = tf.TensorSpec([], tf.int64)
        dataset = tf.data.Dataset.from_generator(rows, output_signature=(scalar, scalar))
        return self._batches(dataset, self._shown.part, batch_size, part)

    def evaluation_batches(self, batch_size: int, part: Part = WHOLE) -> tf.data.Dataset:
        """One pass over the triplets in their order; the last batch may be smaller."""
        numbers = tf.range(len(self), dtype=tf.int64)
        dataset = tf.data.Dataset.from_tensor_slices((numbers, numbers))
        return self._batches(dataset, self._shown.whole, batch_size, part, len(self))

    def photo_batches(self, batch_size: int) -> tf.data.Dataset:
        """{"photo": [B, s, s, 3] uint8}: one pass over all photos, those of the gallery, too."""
        return self._shown.batches(batch_size)

    def _batches(self, dataset, cut, batch_size, part, total=None):
        read = self.photos.reader()
        references, targets = tf.constant(self.references), tf.constant(self._targets)
        sequences, lengths = tf.constant(self.sequences), tf.constant(self.lengths)

        def example(row, position):
            texts = text_inputs(tf.gather(sequences, row), tf.gather(lengths, row))
            draw = row_seed({"position": position}, self._seed)
            reference, target = tf.gather(references, row), tf.gather(targets, row)
            other = fold(draw, Draw.OTHER_IMAGE)
            return {
                "reference_photo": cut(read(reference), draw),
                "target_photo": cut(read(target), other),
                "input_ids": texts["input_ids"],
                "input_mask": texts["input_mask"],
                "target_number": target,
                "reference_number": reference,
            }

        dataset = rows_of_part(dataset, batch_size, part, total)
        dataset = dataset.map(example, tf.data.AUTOTUNE, deterministic=True)
        return batches_of_part(dataset, batch_size, part, total).prefetch(tf.data.AUTOTUNE)
