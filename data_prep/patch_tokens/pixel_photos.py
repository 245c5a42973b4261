"""The photos of a folder of pixel records, some of whose products are held out."""

import hashlib

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from kaleido_tf.data.photos import cut_anywhere, cut_centre, mirrored_by_chance
from kaleido_tf.data.sampling import row_seed
from kaleido_tf.errors import InputError, tensorflow_reason
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.dataset_json import check_count, declared_by, layout_of, shares_photos
from kaleido_tf.records.photo import parse_photo
from kaleido_tf.records.shared_photos import open_shards

MIRRORED = 0.5
"""How often a photo is mirrored in training, as in the release."""

_BUCKETS = 10**6
_SHUFFLED = 4096
"""Records, as their bytes, among which the next one is drawn."""
_PRODUCT = {"product_id": tf.io.FixedLenFeature([], tf.string)}


class PixelPhotos:
    """Reads every photo once, so that what is wrong with the records is said before any training.

    Args: pattern: as `find_files`. holdout: share of the products whose photos are held out, which
      are chosen by their ids alone.
    Attributes: side: pixels of a side of the photos. counts: photos by split (`train`, `valid`).
      digest: sha256 of all records.
    Raises: InputError for records of another layout or that are damaged, and where a split has no
      photo.
    """

    def __init__(self, pattern: str, holdout: float):
        self._files = find_files(pattern)
        dataset = declared_by(self._files)
        layout = layout_of(dataset, self._files[0])
        if not layout.holds_pixels:
            raise InputError(
                "Records of pixels are needed (data_prep.write_pixel_records writes them)."
                f" {pattern} holds records of the layout {layout.name}"
            )
        self.side, self._holdout = dataset[layout.size_key], holdout
        self._shared = shares_photos(self._files)
        self.counts, digest = {"train": 0, "valid": 0}, hashlib.sha256()
        for file in self._files:
            self._scan(file, digest)
        self.digest = digest.hexdigest()
        for split, purpose in (("train", "learn from"), ("valid", "hold out")):
            if not self.counts[split]:
                raise InputError(
                    f"At least one photo is needed to {purpose}. {pattern} with a --holdout of"
                    f" {holdout:g} gives none of its {sum(self.counts.values())}"
                )

    def training_batches(self, side: int, batch: int, seed: int, epoch: int) -> tf.data.Dataset:
        """The photos of an epoch [B, side, side, 3] uint8, cut and mirrored; order and draws depend
        on seed and epoch alone.
        """
        draw = np.random.default_rng([seed, epoch])
        files = [self._files[number] for number in draw.permutation(len(self._files))]
        first = epoch * sum(self.counts.values())

        def drawn(number, serialized):
            own = row_seed({"position": number}, seed)
            photo = cut_anywhere(parse_photo(serialized, self.side), side, own)
            return mirrored_by_chance(photo, MIRRORED, own)

        records = open_shards(files, self._shared).filter(lambda s: not self._is_held_out(s))
        records = records.shuffle(_SHUFFLED, seed=int(draw.integers(2**31)))
        photos = records.enumerate(first).map(drawn, num_parallel_calls=tf.data.AUTOTUNE)
        return photos.batch(batch).prefetch(1)

    def valid_batches(self, side: int, batch: int) -> tf.data.Dataset:
        """The photos held out [B, side, side, 3] uint8, their middle."""
        records = open_shards(self._files, self._shared).filter(self._is_held_out)
        photos = records.map(lambda s: cut_centre(parse_photo(s, self.side), side))
        return photos.batch(batch).prefetch(1)

    def _is_held_out(self, serialized: tf.Tensor) -> tf.Tensor:
        product = tf.io.parse_single_example(serialized, _PRODUCT)["product_id"]
        return tf.strings.to_hash_bucket_fast(product, _BUCKETS) < round(self._holdout * _BUCKETS)

    def _scan(self, file: str, digest) -> None:
        """Counts the photos of a shard, all of which must be readable."""
        count = 0

        def looked_at(serialized):
            brightest = tf.reduce_max(parse_photo(serialized, self.side))  # so that it is decoded
            return serialized, self._is_held_out(serialized), brightest

        try:
            for serialized, held_out, _ in (
                open_shards(file, self._shared).map(looked_at).as_numpy_iterator()
            ):
                self.counts["valid" if held_out else "train"] += 1
                digest.update(serialized)
                count += 1
        except (tf.errors.OpError, DecodeError, ValueError) as error:
            raise InputError(
                f"{file} is damaged: record {count} cannot be read ({tensorflow_reason(error)})."
                " Write it again"
            ) from error
        check_count(file, count)
