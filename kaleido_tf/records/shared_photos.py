"""Photos that several records of a shard show, stored once: `--share_photos` of the commands that
write records.

Such a photo is held by the first of its records; those right after it name that one (`photo_of`)
and hold none. A serialized `tf.train.Example` is whole when another is put behind it, so the photo
stands as an Example of its own, `photo_bytes` long, at the end of its holder, and put behind the
others it makes them whole. A holder is a record like any other; who reads the others needs `whole`.
"""

from collections.abc import Sequence

import tensorflow as tf

from kaleido_tf.records.record import SHARED, Record


def share_photo(records: Sequence[Record]) -> list[bytes]:
    """Serialized records of one photo in one view: the first with it, the others without.

    Raises: ValueError unless all hold the same.
    """
    holder, *others = records
    photo = holder.photo
    if any(other.photo != photo for other in others):
        raise ValueError("Records of one photo are needed. Received: photos that differ")
    shared = [holder.sharing(len(photo), "")]
    shared += [other.sharing(len(photo), holder.image_id) for other in others]
    return [record.serialize() for record in shared]


def completed(record: bytes, holder: bytes) -> bytes:
    """A serialized record with the photo that another one, the holder, holds for it."""
    length = Record.parse(record).photo_bytes
    return record + holder[len(holder) - length :]


def open_shards(files, shares_photos: bool) -> tf.data.Dataset:
    """The serialized records of shards, all of them whole.

    Args: files: paths, one or several, as of a `TFRecordDataset`. shares_photos: whether there may
      be records that hold no photo.
    """
    dataset = tf.data.TFRecordDataset(files)
    return dataset.scan("", _complete) if shares_photos else dataset


def _complete(photo: tf.Tensor, record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(the last photo that others may show, the record with its photo) of the next record."""
    fields = tf.io.parse_single_example(record, SHARED)
    length = tf.cast(fields["photo_bytes"], tf.int32)
    own = tf.strings.substr(record, tf.maximum(tf.strings.length(record) - length, 0), length)
    photo = tf.where(fields["photo_of"] == "", own, photo)
    return photo, tf.where(fields["photo_of"] == "", record, record + photo)
