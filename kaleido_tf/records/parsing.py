"""Serialized records to tensors: whole, one patch of them, or what a run's table holds of many.

B = records, F = feature size.
"""

import itertools

import tensorflow as tf

from kaleido_tf.records.feature_storage import SCALE_BYTES, SCALES, STORAGES
from kaleido_tf.records.record import FIXED, KALEIDO, SHARED, VIEW, Layout

LISTS = {
    "token_ids": tf.int64,  # WordPiece ids of `text`, without [CLS] and [SEP], not truncated
    "alignment_tokens": tf.int64,  # index into token_ids
    "alignment_patches": tf.int64,  # index among the 55 patches
    "alignment_scores": tf.float32,
}
"""The fields of any number of numbers."""
_RAGGED = {name: tf.io.RaggedFeature(dtype) for name, dtype in LISTS.items()}


def _raw(layout: Layout) -> dict:
    scales = (name + SCALES for name in layout.blocks)
    return {
        **{name: tf.io.FixedLenFeature([], tf.string) for name in layout.content},
        **{name: tf.io.FixedLenFeature([], tf.string, default_value="") for name in scales},
    }


TABLE_FEATURES = (
    "record_version",
    "product_id",
    "image_id",
    "category_id",
    "subcategory_id",
    "token_ids",
    "view",
    "photo_of",
    "photo_bytes",
)
"""What a run reads once of every record at its start (see data/record_table.py)."""


def parse_record(
    serialized: tf.Tensor, feature_size: int, layout: Layout = KALEIDO, storage: str | None = None
) -> dict[str, tf.Tensor]:
    """One serialized record to its tensors: feature blocks [rows, F] float16, lists [n], the rest
    as declared.

    Args: storage: of `STORAGES`, where it is known; None asks each record, which takes time.
    """
    boxes = {"patch_boxes": tf.io.FixedLenFeature([layout.num_patches, 5], tf.int64)}
    example = tf.io.parse_single_example(serialized, {**FIXED, **boxes, **_raw(layout), **_RAGGED})
    for name, rows in layout.blocks.items():
        fields = example[name], example.pop(name + SCALES)
        example[name] = decode_block(*fields, rows, feature_size, storage)
    return example


def parse_patch(
    serialized: tf.Tensor, patch: tf.Tensor, feature_size: int, storage: str | None = None
) -> tf.Tensor:
    """The features [F] float16 of one patch of a serialized record, without decoding the others.
    Args: storage: as `parse_record`.
    """
    name = "patch_features"
    spec = {field: _raw(KALEIDO)[field] for field in (name, name + SCALES)}
    fields = tf.io.parse_single_example(serialized, spec)
    return decode_vector(fields[name], fields[name + SCALES], patch, feature_size, storage)


def decode_block(
    raw: tf.Tensor, scales: tf.Tensor, count: int, feature_size: int, storage: str | None = None
) -> tf.Tensor:
    """[count, F] float16 of a block's fields, as `feature_storage.restored`.

    Args: scales: "" where it is float16. count: vectors of the block. storage: as `parse_record`.
    """

    def from_half():
        return tf.reshape(tf.io.decode_raw(raw, tf.float16), [-1, feature_size])

    def from_steps():
        steps = tf.reshape(tf.io.decode_raw(raw, tf.int8), [-1, feature_size])
        scale = tf.io.decode_raw(scales, tf.float32)[:, None]
        return tf.cast(tf.cast(steps, tf.float32) * scale, tf.float16)

    if storage is None:
        values = tf.cond(tf.strings.length(scales) > 0, from_steps, from_half)
    else:
        values = from_half() if storage == STORAGES[0] else from_steps()
    return tf.ensure_shape(values, [count, feature_size])


def decode_vector(
    raw: tf.Tensor, scales: tf.Tensor, row: tf.Tensor, feature_size: int, storage: str | None = None
) -> tf.Tensor:
    """[F] float16 of one vector of a block, without decoding the others. Args: row: [] int.
    storage: as `parse_record`.
    """
    row = tf.cast(row, tf.int32)
    is_scaled = tf.cast(tf.strings.length(scales) > 0, tf.int32)
    width = feature_size * (tf.float16.size - is_scaled)
    raw = tf.strings.substr(raw, row * width, width)
    scale = tf.strings.substr(scales, row * SCALE_BYTES * is_scaled, SCALE_BYTES * is_scaled)
    return decode_block(raw, scale, 1, feature_size, storage)[0]


def parse_table(serialized: tf.Tensor, layout: Layout = KALEIDO) -> dict[str, tf.Tensor]:
    """[B] serialized records to the columns of `TABLE_FEATURES` and `content_bytes` [B, n] (length
    of each field of `Layout.content`, with its scales).
    """
    known = {**FIXED, **VIEW, **SHARED, **_RAGGED}
    specs = {name: known[name] for name in TABLE_FEATURES}
    columns = tf.io.parse_example(serialized, {**specs, **_raw(layout)})
    lengths = [tf.strings.length(columns.pop(name)) for name in layout.content]
    scales = [tf.strings.length(columns.pop(name + SCALES)) for name in layout.blocks]
    lengths = [sum(both) for both in itertools.zip_longest(lengths, scales, fillvalue=0)]
    return {**columns, "content_bytes": tf.stack(lengths, axis=1)}
