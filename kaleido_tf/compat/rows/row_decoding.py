"""Rows of the original's data files to arrays: what its reader returns, a batch at a time.

Numbers are cut and converted by Arrow, column by column over all rows, since a row holds about
117,000 of them; float32 text is rounded correctly, as by TensorFlow. B = rows, L = values of a
column.

| column | array |
|---|---|
| int, length 1 | int32 [B, 1] |
| int | int64 [B, L] |
| float | float32 [B, L] |
| str | object (str) [B, L] |
| base64, length 1 | object (str) [B, 1]: not decoded, as by the original |
| base64 | float32 [B, L] |

If every column has length 1, arrays are [B]. An empty scalar is 0, 0.0 or ""; empty items of a
vector are left out.

One departure: the original takes vectors of any length (its reshape is optimised away under
  TensorFlow 1.15) and fails
later, or trains on what slipped; here the declared length is needed, see `Column.values` for the
one exception.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from kaleido_tf.compat.rows.input_schema import Column
from kaleido_tf.errors import InputError

Where = Callable[[int], str]
"""Says where the n-th row of a batch comes from: "FILE line N"."""

_NUMBERS = {"int": (pa.int64(), tf.int64), "float": (pa.float32(), tf.float32)}
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
)


def decode_rows(
    lines: list[bytes],
    schema: tuple[Column, ...],
    where: Where,
    columns: Sequence[Column] | None = None,
) -> dict[str, np.ndarray]:
    """The columns of text rows: tab between columns, comma inside vectors, no quoting.

    Args: lines: B rows with or without their line end. columns: those to decode; None: all.
    Returns: arrays as above, but [B, L] always; `as_batch` gives those of the original.
    Raises: InputError naming file, line and column.
    """
    rows = [_fields(line) for line in lines]
    for number, row in enumerate(rows):
        blank = len(row) == 1 and not row[0]
        if len(row) != len(schema) or blank:
            raise InputError(f"{where(number)}: {wrong_columns(schema, len(row), blank)}")
    decoded = {}
    for place, column in enumerate(schema):
        if columns is None or column in columns:
            decoded[column.name] = _decode_column([row[place] for row in rows], column, where)
    return decoded


def _fields(line: bytes) -> list[memoryview]:
    """The fields of a line, not copied: a row has a megabyte of text."""
    if b"\r" in line:  # TensorFlow's line reader drops them all, not only one before the line feed
        line = line.replace(b"\r", b"")
    view, fields, begin = memoryview(line.rstrip(b"\n")), [], 0
    while (end := line.find(b"\t", begin)) >= 0:
        fields.append(view[begin:end])
        begin = end + 1
    return fields + [view[begin:]]


def field_digests(
    lines: list[bytes], schema: tuple[Column, ...], columns: Collection[Column]
) -> list[bytes]:
    """[B] 16 bytes that say what text stands in some columns of each row; nothing is decoded."""
    digests = []
    for line in lines:
        digest = hashlib.blake2b(digest_size=16)
        for field, column in zip(_fields(line), schema, strict=True):
            if column in columns:
                # so that no two rows of fields run together alike
                digest.update(np.int64(len(field)).tobytes())
                digest.update(field)
        digests.append(digest.digest())
    return digests


def wrong_columns(schema: tuple[Column, ...], found: int, blank: bool) -> str:
    """The message for a row that does not have the schema's columns."""
    came = "a blank line" if blank else f"{found}"
    return f"{len(schema)} columns separated by tabs are needed (--input_schema). Received: {came}"


def as_batch(decoded: dict[str, np.ndarray], schema: tuple[Column, ...]) -> dict[str, np.ndarray]:
    """[B, L] arrays as the original returns them: [B] if all columns of `schema` are scalars."""
    if all(column.length == 1 for column in schema):
        return {name: array.reshape(-1) for name, array in decoded.items()}
    return decoded


def _decode_column(fields: list[memoryview], column: Column, where: Where) -> np.ndarray:
    """[B, L] values of one column."""
    if column.kind in ("str", "base64"):
        fields = [bytes(field) for field in fields]
    if column.kind == "base64" and column.length > 1:
        floats = [_base64_floats(field, column, where, row) for row, field in enumerate(fields)]
        return np.array(floats, np.float32).reshape(-1, column.values)
    if column.kind in ("str", "base64"):
        one = column.length == 1
        return _texts(
            [[field] if one else [item for item in field.split(b",") if item] for field in fields],
            column,
            where,
        )
    if column.length == 1:
        return _scalars(fields, column, where)
    return _vectors(fields, column, where)


def _scalars(fields: list[memoryview], column: Column, where: Where) -> np.ndarray:
    dtype = pa.int32() if column.kind == "int" else pa.float32()
    filled = _arrow([field or b"0" for field in fields], column, where)
    return _numbers(filled, dtype, column, where, np.ones(len(fields), np.int64)).reshape(-1, 1)


def _vectors(fields: list[memoryview], column: Column, where: Where) -> np.ndarray:
    parts = pc.split_pattern(_arrow(fields, column, where), ",")
    lengths, items = pc.list_value_length(parts).to_numpy(), pc.list_flatten(parts)
    # empty items are left out, as by tf.string_split
    if pc.min(pc.binary_length(items)).as_py() == 0:
        filled = pc.greater(pc.binary_length(items), 0)
        row_of = np.repeat(np.arange(len(fields)), lengths)[filled.to_numpy(zero_copy_only=False)]
        items, lengths = items.filter(filled), np.bincount(row_of, minlength=len(fields))
    values = _numbers(items, _NUMBERS[column.kind][0], column, where, lengths)
    _check_counts(lengths, column, where)
    return values.reshape(len(fields), column.values)


def _arrow(fields: list[memoryview], column: Column, where: Where):
    """The fields as an Arrow array of text (in chunks beyond 2 GB)."""
    try:
        return pa.array(fields, pa.string())
    except (pa.ArrowInvalid, UnicodeDecodeError):
        for row, field in enumerate(fields):
            _text(bytes(field), column, where, row)
        raise


def _numbers(
    items, dtype: pa.DataType, column: Column, where: Where, lengths: np.ndarray
) -> np.ndarray:
    """[N] numbers of N items; `lengths` [B] says how many belong to each row, for messages."""
    try:
        return _cast(items, dtype)
    except pa.ArrowInvalid:
        # spaces around a number and a leading plus are fine for the original, but not for Arrow
        pass
    items = pc.replace_substring_regex(pc.ascii_trim_whitespace(items), r"^\+([0-9.])", r"\1")
    try:
        return _cast(items, dtype)
    except pa.ArrowInvalid:
        bad = _first_refused(items, dtype)
        place = (
            f"{where(np.searchsorted(np.cumsum(lengths), bad, side='right'))}, column {column.name}"
        )
        needed = "a whole number" if column.kind == "int" else "a number"
        needed += " of 32 bits" if dtype == pa.int32() else ""
        raise InputError(
            f"{place}: {needed} is needed. Received: {items[bad].as_py()!r:.60}"
        ) from None


def _cast(items, dtype: pa.DataType) -> np.ndarray:
    if (
        pa.types.is_integer(dtype)
        and pc.any(pc.match_substring(items, "x", ignore_case=True)).as_py()
    ):
        raise pa.ArrowInvalid("hexadecimal")  # Arrow takes it, the original does not
    return items.cast(dtype).to_numpy()


def _first_refused(items, dtype: pa.DataType) -> int:
    """The number of the first item that is no `dtype`, found by halving: no Python per value even
    here.
    """
    first, last = 0, len(items)
    while last - first > 1:
        middle = (first + last) // 2
        try:
            _cast(items.slice(first, middle - first), dtype)
            first = middle
        except pa.ArrowInvalid:
            last = middle
    return first


def _check_counts(counts: np.ndarray, column: Column, where: Where) -> None:
    wrong = np.flatnonzero(counts != column.values)
    if len(wrong):
        raise InputError(
            f"{where(wrong[0])}, column {column.name}: {column.count_needed()} needed. Received:"
            f" {counts[wrong[0]]}"
        )


def _texts(items: list[list[bytes]], column: Column, where: Where) -> np.ndarray:
    _check_counts(np.array([len(row) for row in items], np.int64), column, where)
    texts = np.empty([len(items), column.values], object)
    for row, values in enumerate(items):
        texts[row] = [_text(value, column, where, row) for value in values]
    return texts


def _text(value: bytes, column: Column, where: Where, row: int) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where(row)}, column {column.name}: UTF-8 text is needed. Received: {error}"
        ) from error


def _base64_floats(field: bytes, column: Column, where: Where, row: int) -> np.ndarray:
    """[L] float32 of one field of little-endian float32 in the URL-safe alphabet, with or without
    padding.
    """
    digits = field.rstrip(b"=")
    padding = len(field) - len(digits)
    place = f"{where(row)}, column {column.name}"
    if digits.translate(None, _NOT_BASE64) != digits:
        raise InputError(
            f"{place}: base64 of the URL-safe alphabet (- and _, not + and /) is needed. Received:"
            f" {field[:40]!r}"
        )
    try:
        if padding and (padding > 2 or len(field) % 4):
            raise binascii.Error("padding does not fill the last four digits")
        content = base64.urlsafe_b64decode(digits + b"=" * (-len(digits) % 4))
    except binascii.Error as error:
        raise InputError(
            f"{place}: base64 is needed. Received: {field[:40]!r} ({error})"
        ) from error
    _check_bytes(content, 4, column, place)
    return np.frombuffer(content, "<f4").astype(np.float32)


def _check_bytes(content: bytes, size: int, column: Column, place: str) -> None:
    if len(content) != column.values * size:
        raise InputError(
            f"{place}: {column.count_needed()} of {size} bytes needed. Received: {len(content)}"
            " bytes"
        )


def decode_examples(
    serialized: list[bytes], schema: Sequence[Column], where: Where, half: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """The columns of rows kept as `tf.train.Example`: arrays as those of `decode_rows`; other
    columns may be there too.

    An int column is an int64 list, a float column a float list, a str column a bytes list; a base64
    column is a bytes list of one base64 text.
    Args: half: names of float columns that are kept as one bytes value each, raw little-endian
      float16.
    Raises: InputError naming file, record and column.
    """
    stored = {column.name: _stored(column, half) for column in schema}
    specs = {name: tf.io.FixedLenFeature([count], dtype) for name, (count, dtype) in stored.items()}
    try:
        parsed = tf.io.parse_example(tf.constant(serialized, tf.string), specs)
    except (tf.errors.OpError, ValueError) as error:
        _explain(serialized, schema, stored, where)
        raise InputError(
            f"{where(0)} and those read with it: rows of --input_schema are needed. Received:"
            f" {error}"
        ) from error
    decoded = {}
    for column in schema:
        array = parsed[column.name].numpy()
        if column.name in half:
            array = _half_floats([field for (field,) in array], column, where)
        elif column.kind == "base64" and column.length > 1:
            array = _decode_column([field for (field,) in array], column, where)
        elif column.kind in ("str", "base64"):
            array = _texts([list(row) for row in array], column, where)
        elif column.kind == "int" and column.length == 1:
            array = _int32(array, column, where)
        decoded[column.name] = array
    return decoded


def _half_floats(fields: list[bytes], column: Column, where: Where) -> np.ndarray:
    for row, field in enumerate(fields):
        _check_bytes(field, 2, column, f"{where(row)}, column {column.name}")
    return np.frombuffer(b"".join(fields), "<f2").astype(np.float32).reshape(-1, column.values)


def _stored(column: Column, half: Collection[str]) -> tuple[int, tf.DType]:
    """Number and type of the values of a column in a `tf.train.Example`."""
    if column.name in half:
        return 1, tf.string
    if column.kind in _NUMBERS:
        return column.values, _NUMBERS[column.kind][1]
    return 1 if column.kind == "base64" else column.values, tf.string


def _int32(array: np.ndarray, column: Column, where: Where) -> np.ndarray:
    narrow = array.astype(np.int32)
    wrong = np.flatnonzero((narrow != array).any(axis=1))
    if len(wrong):
        raise InputError(
            f"{where(wrong[0])}, column {column.name}: a whole number of 32 bits is needed."
            f" Received: {array[wrong[0], 0]}"
        )
    return narrow


def _explain(serialized: list[bytes], schema: Sequence[Column], stored: dict, where: Where) -> None:
    """Raises InputError for the first row and column that do not fit; TensorFlow says neither file
    nor record.
    """
    kinds = {tf.int64: "int64_list", tf.float32: "float_list", tf.string: "bytes_list"}
    for row, content in enumerate(serialized):
        example = tf.train.Example()
        try:
            example.ParseFromString(content)
        # protobuf's DecodeError, whose module differs between its versions
        except Exception as error:
            raise InputError(
                f"{where(row)}: a tf.train.Example is needed. Received: {len(content)} other bytes"
            ) from error
        for column in schema:
            count, dtype = stored[column.name]
            place = f"{where(row)}, column {column.name}"
            if column.name not in example.features.feature:
                stored_names = ", ".join(sorted(example.features.feature)) or "none"
                raise InputError(
                    f"{place}: {column.count_needed()} needed. Received: no such column, only "
                    f"{stored_names[:800]}"
                )
            feature = example.features.feature[column.name]
            kind = feature.WhichOneof("kind")
            if kind != kinds[dtype]:
                raise InputError(
                    f"{place}: {column.kind} values ({kinds[dtype]}) are needed. Received: {kind}"
                )
            found = len(getattr(feature, kind).value)
            if found != count:
                raise InputError(f"{place}: {column.count_needed()} needed. Received: {found}")
