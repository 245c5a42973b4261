"""The patch features of an index's photos, read from the records one by one where they lie.

V = views of a photo, P = patches, F = feature size.
"""

from collections.abc import Sequence

import numpy as np
from google.protobuf.message import DecodeError

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.files.tfrecord_files import HEAD, TAIL, starts_by_length
from kaleido_tf.records.record import Record
from kaleido_tf.records.shared_photos import completed


class RecordedPhotos:
    """Args: tables: of all records; a photo that is in two has the views of the last."""

    def __init__(self, tables: Sequence[RecordTable]):
        self._places = {
            image: (table, views)
            for table in tables
            for image, views in table.records_of_photos().items()
        }
        self._starts: dict[str, np.ndarray] = {}

    def read(self, image_id: str) -> tuple[np.ndarray, np.ndarray]:
        """Features [V, P, F] float16 and boxes [V, P, 5]. Raises: InputError for a photo that is
        not there, or a file that has changed.
        """
        if image_id not in self._places:
            raise InputError(
                f"The photo {image_id} of the index is not in its records. Write the index anew, or"
                " put the records back"
            )
        table, views = self._places[image_id]
        records = [self._record(table, number) for number in views]
        return (
            np.stack([record.block("patch_features") for record in records]),
            np.stack([record.boxes for record in records]),
        )

    def _record(self, table: RecordTable, number: int) -> Record:
        file = int(np.searchsorted(table.file_starts, number, side="right")) - 1
        path, place = table.files[file], number - table.file_starts[file]
        try:
            record = Record.parse(self._whole(path, place))
            if record.image_id == table.image_ids[number]:
                return record
        except (OSError, DecodeError, ValueError):  # said below
            pass
        raise InputError(f"{path} has changed since it was opened. Start the command again")

    def _whole(self, path: str, place: int) -> bytes:
        """A record, with the photo that one before it holds for it."""
        record = holder = self._serialized(path, place)
        while Record.parse(holder).photo_of and place:
            place -= 1
            holder = self._serialized(path, place)
        return record if holder is record else completed(record, holder)

    def _serialized(self, path: str, place: int) -> bytes:
        if path not in self._starts:
            self._starts[path] = starts_by_length(path)
        start, end = self._starts[path][place:][:2]
        with open(path, "rb") as stream:
            stream.seek(start + HEAD)
            return stream.read(end - start - HEAD - TAIL)
