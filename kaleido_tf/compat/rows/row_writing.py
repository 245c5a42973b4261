"""Decoded columns back to rows: text lines as the original reads them, or `tf.train.Example`s with
plain lists.

The inverse of `row_decoding`: what is written here decodes to the same arrays, to the last bit. B =
  rows, L = values of a
column; arrays are [B, L], or [B] for columns of length 1.
"""

import base64
from collections.abc import Callable, Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from kaleido_tf.compat.rows.input_schema import Column
from kaleido_tf.errors import InputError

Where = Callable[[int], str]


def encode_lines(
    columns: dict[str, np.ndarray], schema: Sequence[Column], where: Where
) -> list[bytes]:
    """[B] lines with their line end. Floats are the shortest text that reads back as the same
    float32.

    Args: where: says where the n-th row comes from, for messages.
    Raises: InputError for a text that the format cannot hold: with a tab or a line end, or a row
      that would be blank.
    """
    fields = [_line_fields(_rows(columns, column), column, where) for column in schema]
    lines = [b"\t".join(row) for row in zip(*fields, strict=True)]
    for number, line in enumerate(lines):
        if not line:
            raise InputError(
                f"{where(number)}: text in some column is needed, since a blank line is no row."
                " Received: none"
            )
    return [line + b"\n" for line in lines]


def _rows(columns: dict[str, np.ndarray], column: Column) -> np.ndarray:
    """[B, L] values of a column."""
    return columns[column.name].reshape(-1, column.values)


def _line_fields(values: np.ndarray, column: Column, where: Where) -> list[bytes]:
    if column.kind == "base64" and column.length > 1:
        return [base64.urlsafe_b64encode(row.astype("<f4").tobytes()) for row in values]
    if column.kind in ("str", "base64"):
        return [_text_field(row, column, where, number) for number, row in enumerate(values)]
    items = pa.array(np.ascontiguousarray(values).reshape(-1)).cast(pa.string())
    ends = pa.array(np.arange(len(values) + 1) * column.values, pa.int64())
    joined = pc.binary_join(pa.LargeListArray.from_arrays(ends, items), ",")
    return joined.cast(pa.binary()).to_pylist()


def _text_field(row: np.ndarray, column: Column, where: Where, number: int) -> bytes:
    forbidden = "\t\n\r" if column.length == 1 else "\t\n\r,"
    if any(set(forbidden) & set(text) for text in row) or (column.length > 1 and not all(row)):
        place = f"{where(number)}, column {column.name}"
        raise InputError(
            f"{place}: text without {forbidden!r} is needed. Received: {list(row)!r:.100}"
        )
    return ",".join(row).encode()


def encode_examples(
    columns: dict[str, np.ndarray],
    schema: Sequence[Column],
    where: Where,
    half: Collection[str] = (),
) -> list[bytes]:
    """[B] serialized `tf.train.Example`s as `row_decoding.decode_examples` reads them.

    Args: half: names of float columns to keep as raw little-endian float16.
    Raises: InputError for a value outside float16, naming row and column.
    """
    features = [
        _features(_rows(columns, column), column, where, column.name in half) for column in schema
    ]
    names = [column.name for column in schema]
    return [
        tf.train.Example(
            features=tf.train.Features(feature=dict(zip(names, row)))
        ).SerializeToString()
        for row in zip(*features, strict=True)
    ]


def _features(
    values: np.ndarray, column: Column, where: Where, half: bool
) -> list[tf.train.Feature]:
    """The feature of each row."""
    if half:
        return [_bytes([row.tobytes()]) for row in _halves(values, column, where)]
    if column.kind == "base64" and column.length > 1:
        return [_bytes([base64.urlsafe_b64encode(row.astype("<f4").tobytes())]) for row in values]
    if column.kind in ("str", "base64"):
        return [_bytes([text.encode() for text in row]) for row in values]
    if column.kind == "float":
        return [tf.train.Feature(float_list=packed_float_list(row)) for row in values]
    return [tf.train.Feature(int64_list=tf.train.Int64List(value=row.tolist())) for row in values]


def _halves(values: np.ndarray, column: Column, where: Where) -> np.ndarray:
    with np.errstate(over="ignore"):
        halves = values.astype("<f2")
    wrong = np.argwhere(np.isinf(halves) & np.isfinite(values))
    if len(wrong):
        row, place = wrong[0]
        raise InputError(
            f"{where(row)}, column {column.name}: numbers within float16 (at most 65504) are needed"
            f" for --float_type=float16. Received: {values[row, place]:.6g}"
        )
    return halves


def _bytes(values: list[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def packed_float_list(values: np.ndarray) -> tf.train.FloatList:
    """A list made from its bytes as protobuf packs them (field 1, length, little-endian floats),
    not value by value.
    """
    content = values.astype("<f4").tobytes()
    length, left = bytearray(), len(content)
    while left > 127:
        length.append(left & 127 | 128)
        left >>= 7
    length.append(left)
    return tf.train.FloatList.FromString(b"\x0a" + bytes(length) + content)
