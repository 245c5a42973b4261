"""What a run keeps of records, read from their shards column by column and checked record by
record. B = records read at once.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from kaleido_tf.errors import InputError, tensorflow_reason
from kaleido_tf.records.feature_storage import block_bytes
from kaleido_tf.records.parsing import parse_table
from kaleido_tf.records.record import RECORD_VERSION, Layout
from kaleido_tf.records.shared_photos import open_shards
from kaleido_tf.records.views import PLAIN

_BATCH = 256
Columns = dict[str, np.ndarray | list[np.ndarray]]
"""Of B records, as `parse_table`: arrays [B, ...], and `token_ids`, B arrays of int32."""


@dataclasses.dataclass(frozen=True)
class ColumnReader:
    """Reads shards whose records all have one form.

    Attributes: layout, size, storage: as of a `RecordTable`. vocab_size: token ids are below it.
      shares_photos: whether there may be records whose photo another one holds.
    """

    layout: Layout
    size: int
    storage: str
    vocab_size: int
    shares_photos: bool

    def read(self, files: list[str]) -> list[list[Columns]]:
        """Of each file its columns, part by part.

        Raises: InputError naming file and record: for a file that is missing or damaged, and for
          records of another version or size, or with token ids beyond the vocabulary.
        """
        found: list[list[Columns]] = [[] for _ in files]
        number = 0
        try:
            # One dataset of all files: to build one takes as long as to read hundreds of records.
            for number, part in self._parts(files):
                found[number].append(self._checked(part, files[number], found[number]))
        except tf.errors.OpError:  # TensorFlow does not say which file it was
            for later in range(number, len(files)):
                found[later] = self._read_file(files[later])
        return found

    def _read_file(self, file: str) -> list[Columns]:
        found: list[Columns] = []
        try:
            for _, part in self._parts([file]):
                found.append(self._checked(part, file, found))
        except tf.errors.NotFoundError as error:
            raise InputError(f"Record file not found: {file}") from error
        except tf.errors.OpError as error:
            raise InputError(
                f"{file}: damaged or no record of this project, within {_BATCH} records after"
                f" record {_count(found)}: {tensorflow_reason(error)}"
            ) from error
        return found

    def _parts(self, files: list[str]):
        """(number of the file, columns) of at most `_BATCH` records, one after the other."""

        def of_file(number, file):
            batches = open_shards(file, self.shares_photos).batch(_BATCH)
            return batches.map(lambda serialized: (number, serialized))

        @tf.autograph.experimental.do_not_convert
        def parse(number, serialized):
            return number, parse_table(serialized, self.layout)

        source = tf.data.Dataset.from_tensor_slices((np.arange(len(files)), files))
        for number, part in source.flat_map(of_file).map(parse, tf.data.AUTOTUNE):
            yield int(number), part

    def _checked(self, part: dict[str, tf.Tensor], file: str, before: list[Columns]) -> Columns:
        """Args: before: the file's columns so far."""
        ids = part.pop("token_ids")
        tokens, borders = ids.values.numpy(), ids.row_splits.numpy()
        columns = {name: value.numpy() for name, value in part.items()}
        columns["token_ids"] = np.split(tokens, borders[1:-1])
        if not self._are_right(columns, tokens, borders):
            for row in range(len(borders) - 1):
                self._check(columns, row, file, _count(before))
        columns["token_ids"] = np.split(tokens.astype(np.int32), borders[1:-1])
        return columns

    def _are_right(self, columns: Columns, tokens: np.ndarray, borders: np.ndarray) -> bool:
        """Whether `_check` has nothing against any record; of all at once, as they mostly are."""
        sizes = columns["content_bytes"]
        are_sized = sizes.min() > 0 if self.layout.holds_pixels else (sizes == self._sizes).all()
        return bool(
            are_sized
            and (columns["record_version"] == RECORD_VERSION).all()
            and np.diff(borders).min() > 0
            and tokens.min() >= 0
            and tokens.max() < self.vocab_size
        )

    @property
    def _sizes(self) -> list[int]:
        """Bytes of each feature block."""
        rows = self.layout.blocks.values()
        return [block_bytes(count, self.size, self.storage) for count in rows]

    def _check(self, columns: Columns, row: int, file: str, first: int) -> None:
        where = f"{file} record {first + row} (product {columns['product_id'][row].decode()})"
        version, ids = columns["record_version"][row], columns["token_ids"][row]
        if version != RECORD_VERSION:
            raise InputError(
                f"{where}: version {RECORD_VERSION} is needed. Received: version {version}"
            )
        content_bytes = columns["content_bytes"][row].tolist()
        if self.layout.holds_pixels and not min(content_bytes):
            raise InputError(f"{where}: a photo is needed. Received: 0 bytes")
        if not self.layout.holds_pixels and content_bytes != self._sizes:
            raise InputError(
                f"{where}: feature blocks of {self._sizes} bytes are needed ({self.size} floats"
                f" a patch, {self.storage}). Received: {content_bytes}"
            )
        if not len(ids):
            raise InputError(f"{where}: a text of at least one token is needed. Received: none")
        if ids.max() >= self.vocab_size or ids.min() < 0:
            raise InputError(
                f"{where}: token ids below {self.vocab_size} (the vocabulary) are needed. Received:"
                f" {ids.max()}"
            )


def check_holders(file: str, parts: list[Columns]) -> int:
    """Bytes of photos that others hold for records of a file. Raises: InputError if the one before
    them is another than they name.
    """
    names = ("image_id", "view", "photo_of", "photo_bytes")
    left_out, holder, number = 0, (b"", PLAIN), 0
    for part in parts:
        for image, view, photo_of, size in zip(*(part[name].tolist() for name in names)):
            if photo_of and (photo_of, view) != holder:
                raise InputError(
                    f"{file} record {number} (photo {image.decode()}): the photo of"
                    f" {photo_of.decode()} is needed before it. Received: {holder[0].decode()}"
                )
            if photo_of:
                left_out += size
            else:
                holder = image, view
            number += 1
    return left_out


def _count(parts: list[Columns]) -> int:
    return sum(len(part["product_id"]) for part in parts)
