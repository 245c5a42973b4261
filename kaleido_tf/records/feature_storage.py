"""How the feature blocks of a record are stored: float16, or int8 with a scale a vector.

R = vectors of a block, F = feature size. Bytes are little-endian. With int8 a record of 2,048
floats a patch takes 152 KB instead of 303.
"""

import numpy as np
import tensorflow as tf

STORAGES = ("float16", "int8")
SCALES = "_scales"
"""Ends the name of the field that holds the scales of a block, R float32, where it is int8."""
SCALE_BYTES = 4
_LARGEST = 127


def stored(name: str, rows, count: int, storage: str) -> dict[str, bytes]:
    """The fields of a block: `name`, and its scales where there are any.

    Args: rows: [R, F] floating; count: R. storage: of `STORAGES`.
    Raises: ValueError for another shape, or numbers that float16, as which both are read, cannot
      hold.
    """
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[0] != count:
        raise ValueError(f"`{name}` needs {count} rows of features. Received: shape={rows.shape}")
    with np.errstate(over="ignore"):
        half = rows.astype("<f2")
    if not np.isfinite(half).all():
        raise ValueError(
            f"`{name}` holds numbers that float16 cannot (largest {np.abs(rows).max():.4g})"
        )
    if storage == "float16":
        return {name: half.tobytes()}
    scales = np.abs(rows).max(axis=1, keepdims=True).astype("<f4") / _LARGEST
    # A vector of zeros, or nearly so, has none to be divided by.
    steps = np.round(rows / np.where(scales > 0, scales, 1)).clip(-_LARGEST, _LARGEST)
    return {name: steps.astype(np.int8).tobytes(), name + SCALES: scales.tobytes()}


def restored(raw: bytes, scales: bytes, count: int) -> np.ndarray:
    """[R, F] float16 of a block's fields. Args: scales: b"" where it is float16. count: R."""
    if not scales:
        return np.frombuffer(raw, "<f2").reshape(count, -1)
    steps = np.frombuffer(raw, np.int8).reshape(count, -1)
    return (steps * np.frombuffer(scales, "<f4")[:, None]).astype(np.float16)


def decode(raw: tf.Tensor, scales: tf.Tensor, count: int, feature_size: int) -> tf.Tensor:
    """[R, F] float16 of a block's fields, as `restored`."""

    def from_half():
        return tf.reshape(tf.io.decode_raw(raw, tf.float16), [-1, feature_size])

    def from_steps():
        steps = tf.reshape(tf.io.decode_raw(raw, tf.int8), [-1, feature_size])
        scale = tf.io.decode_raw(scales, tf.float32)[:, None]
        return tf.cast(tf.cast(steps, tf.float32) * scale, tf.float16)

    values = tf.cond(tf.strings.length(scales) > 0, from_steps, from_half)
    return tf.ensure_shape(values, [count, feature_size])


def decode_row(raw: tf.Tensor, scales: tf.Tensor, row: tf.Tensor, feature_size: int) -> tf.Tensor:
    """[F] float16 of one vector of a block, without decoding the others. Args: row: [] int."""
    row = tf.cast(row, tf.int32)
    is_scaled = tf.cast(tf.strings.length(scales) > 0, tf.int32)
    width = feature_size * (tf.float16.size - is_scaled)
    raw = tf.strings.substr(raw, row * width, width)
    scale = tf.strings.substr(scales, row * SCALE_BYTES * is_scaled, SCALE_BYTES * is_scaled)
    return decode(raw, scale, 1, feature_size)[0]


def block_bytes(count: int, feature_size: int, storage: str) -> int:
    """Bytes of a block with its scales."""
    if storage == "float16":
        return count * feature_size * 2
    return count * (feature_size + SCALE_BYTES)
