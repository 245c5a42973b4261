"""The record of one photo as pixels: one truth for its writer (`data_prep`) and its reader
(`kaleido_tf.data`).

A photo is a square of `image_size` pixels a side, RGB, as a JPEG or as its bytes row by row.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from kaleido_tf.records.record import (
    bytes_feature,
    int_feature,
    product_features,
    serialize_features,
)

CHANNELS = 3
JPEG, RAW = range(2)
ENCODINGS = ("jpeg", "raw")
"""How `dataset.json` calls them, in the order of their numbers in a record."""

_PHOTO = {
    "photo": tf.io.FixedLenFeature([], tf.string),
    "photo_encoding": tf.io.FixedLenFeature([], tf.int64),
}


def serialize_photo_record(fields: Mapping[str, object], encoding: int = JPEG) -> bytes:
    """One record from its fields.

    Args: fields: as `record.product_features`, and `photo`: the bytes of a JPEG or of raw pixels,
      as `encoding` says.
    Raises: KeyError for a missing field.
    """
    features = product_features(fields)
    features["photo"] = bytes_feature(fields["photo"])
    features["photo_encoding"] = int_feature(encoding)
    return serialize_features(features)


def parse_photo(serialized: tf.Tensor, side: int) -> tf.Tensor:
    """The photo [side, side, 3] uint8 of a serialized record. Raises (when run):
    `tf.errors.InvalidArgumentError` for one of another size, or that is no JPEG.
    """
    example = tf.io.parse_single_example(serialized, _PHOTO)
    # The accurate transform, so that every machine reads the same pixels.
    photo = tf.cond(
        example["photo_encoding"] == RAW,
        lambda: tf.reshape(tf.io.decode_raw(example["photo"], tf.uint8), [side, side, CHANNELS]),
        lambda: tf.io.decode_jpeg(
            example["photo"], channels=CHANNELS, dct_method="INTEGER_ACCURATE"
        ),
    )
    return tf.ensure_shape(photo, [side, side, CHANNELS])


def raw_photo(pixels: np.ndarray) -> bytes:
    """[side, side, 3] uint8 as the bytes that `parse_photo` reads as `RAW`."""
    return np.ascontiguousarray(pixels, np.uint8).tobytes()
