"""What raw records of pixels would cost, and lose, as JPEGs (see photo_bytes.py)."""

import numpy as np
import tensorflow as tf

from data_prep.record_writing.pixel_content import jpeg_photo
from kaleido_tf.records.photo import parse_photo


def cost(serialized: bytes, side: int, quality: int, sampling: str) -> tuple[float, ...]:
    """Bytes of the JPEG of a raw record, its mean squared and largest error, bytes of the record
    with the JPEG.
    """
    pixels = parse_photo(serialized, side).numpy()
    jpeg = jpeg_photo(pixels, quality, sampling)
    seen = tf.io.decode_jpeg(jpeg, dct_method="INTEGER_ACCURATE").numpy()
    errors = np.abs(seen.astype(int) - pixels)
    rest = len(serialized) - pixels.size
    return len(jpeg), (errors**2).mean(), errors.max(), rest + len(jpeg)


def row_of(records: list[bytes], side: int, quality: int, sampling: str) -> tuple[float, ...]:
    """bytes, rms, largest, record and most of the table, over these raw records."""
    costs = np.array([cost(record, side, quality, sampling) for record in records])
    jpegs, squared, largest, whole = costs.T
    rms = np.sqrt(squared.mean())
    return jpegs.mean(), rms, largest.max(), whole.sum() / jpegs.sum(), (whole / jpegs).max()
