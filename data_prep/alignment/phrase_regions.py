"""Records to words with heat maps by phrase maps: the things that a record's own text names, each
where products of its sub-category show it. Photos are not read.
"""

from collections.abc import Sequence

from data_prep.alignment.alignments import RASTER, Region
from data_prep.alignment.captions import Caption, heat_maps
from data_prep.alignment.phrase_maps import PhraseMaps
from data_prep.alignment.phrases import ABSENT, phrases_of
from data_prep.alignment.record_alignments import check_layout
from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.record import Record
from kaleido_tf.text import Vocabulary


class PhraseRegions:
    """Finds the regions of records: `regions(folder, records of it)`."""

    def __init__(self, maps: PhraseMaps):
        self._maps = maps
        self._folders: dict[str, tuple[Vocabulary, list[str]]] = {}

    @property
    def source(self) -> dict:
        """What `dataset.json` is to say of it."""
        return {"source": "phrases", "evidence_digest": self._maps.digest, "words": "own"}

    def check(self, folder: str) -> None:
        """Raises: InputError for records of another layout, or whose crops were found otherwise."""
        dataset = read_dataset_json(folder)
        check_layout(dataset, folder)
        learnt = self._maps.settings.foreground
        if dataset["foreground"] != learnt:
            raise InputError(
                f"Maps of crops by --foreground={learnt} need records that were cut so, too."
                f" {folder} was made with --foreground={dataset['foreground']}"
            )
        self._folders[folder] = Vocabulary(f"{folder}/vocab.txt"), dataset["subcategories"]

    def describe(
        self, folder: str, records: Sequence[Record]
    ) -> list[tuple[Caption, list[Region]]]:
        """The text of each record, and where the things that it names are seen."""
        if folder not in self._folders:
            self.check(folder)
        return [
            (Caption(tuple(record.token_ids)), self._regions(record, *self._folders[folder]))
            for record in records
        ]

    def __call__(self, folder: str, records: Sequence[Record]) -> list[list[Region]]:
        return [regions for _, regions in self.describe(folder, records)]

    def _regions(self, record: Record, vocabulary: Vocabulary, kinds: list[str]) -> list[Region]:
        """The concentration of a thing's map is the score of its region."""
        regions, kind = [], kinds[record.subcategory_id]
        for phrase in phrases_of(record.token_ids, vocabulary):
            found = self._maps.of.get((kind, phrase.head.stem))
            if found is not None and phrase.option != ABSENT:
                heat = heat_maps(found[0][None], RASTER, RASTER)[0]
                regions.append(Region(phrase.head.text, heat, found[1], phrase.head.start))
        return regions
