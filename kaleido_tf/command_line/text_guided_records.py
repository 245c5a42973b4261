"""The triplets of text-guided retrieval and the photos that they name: opened, held against the
model.
"""

import dataclasses
import functools

from kaleido_tf.command_line.session import Session
from kaleido_tf.data.named_photos import NamedPhotos
from kaleido_tf.data.triplet_config import TripletConfig
from kaleido_tf.data.triplet_examples import TripletExamples
from kaleido_tf.data.triplets import Triplet, open_triplets
from kaleido_tf.evaluation.composed_report import Gallery, galleries_of


@dataclasses.dataclass(frozen=True)
class TripletRecords:
    """Triplets, those that ask as examples, and the photos of all."""

    triplets: list[Triplet]
    photos: NamedPhotos
    examples: TripletExamples

    @functools.cached_property
    def galleries(self) -> dict[str, Gallery]:
        """Where they are searched, by name."""
        return galleries_of(self.triplets, self.photos)


def open_triplet_records(
    session: Session, records: str, triplets: str, split: str, settings: TripletConfig, trains: bool
) -> TripletRecords:
    """Args: records: a `*_input_fp`. triplets: what a `*_triplets` flag names. trains: whether only
      rows that ask are wanted, without what feeds the gallery alone.

    Raises: InputError as `open_triplets`, `open_records` and `NamedPhotos`.
    """
    rows = open_triplets(triplets, split, whole_gallery=not trains)
    if trains:
        rows = [row for row in rows if row.is_query]
    table = session.open_table(records)
    photos = NamedPhotos(table, [name for row in rows for name in _names(row)], records)
    examples = TripletExamples(
        rows,
        photos,
        session.vocabulary,
        session.text_length,
        session.config.record_size,
        settings,
        session.run.seed,
    )
    return TripletRecords(rows, photos, examples)


def _names(row: Triplet) -> tuple[str, ...]:
    return (row.reference, row.target) if row.is_query else (row.target,)
