"""How the feature blocks of a record are stored: float16, or int8 with a scale a vector.

R = vectors of a block, F = feature size. Bytes are little-endian. With int8 a record of 2,048
floats a patch takes 152 KB instead of 303.
"""

import numpy as np

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


def block_bytes(count: int, feature_size: int, storage: str) -> int:
    """Bytes of a block with its scales."""
    if storage == "float16":
        return count * feature_size * 2
    return count * (feature_size + SCALE_BYTES)
