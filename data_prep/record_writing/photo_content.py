"""What a record holds of a photo, as the writing of records sees it: patches or pixels are its two
kinds (`patch_content.py`, `pixel_content.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from data_prep.foreground.crops import Crop
from data_prep.record_writing.record_settings import RecordSettings


class PhotoContent(Protocol):
    """How photos get into records of one layout.

    Attributes:
      settings: of the records.
      identity: which of its settings, and what else, decide the content of records; `layout` is
        one. Records of another identity are never mixed with these.
      described: what `dataset.json` says of its sizes beside the identity.
      size_in_words: how large a photo is in a record, for the line that a command prints.
    """

    settings: RecordSettings
    identity: Mapping[str, object]
    described: Mapping[str, object]
    size_in_words: str

    def cut(self, image: np.ndarray, crop: Crop) -> Any:
        """What is kept of a photo [H, W, 3] uint8 RGB until its shard is written. Called in
        threads.
        """

    def fields(self, cuts: Sequence[Any]) -> list[list[dict]]:
        """For each photo the fields of its records, one a view, beside those of its product."""

    def serialize(self, fields: Mapping[str, object]) -> bytes:
        """A record of all its fields. Raises: ValueError for numbers that no record can hold."""

    def in_words(self, fields: Mapping[str, object]) -> str:
        """What a record holds of its photo, for the log."""
