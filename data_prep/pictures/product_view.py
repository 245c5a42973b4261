"""From records, their catalogue and a run's settings to what a picture of a product shows."""

import os
import pathlib

import numpy as np

from data_prep.alignment.alignments import Alignments, Region
from data_prep.alignment.caption_regions import CaptionRegions
from data_prep.foreground.product_crops import Photo
from data_prep.foreground.product_masks import ProductMasks
from data_prep.pictures.alignment_panel import AlignedText
from data_prep.pictures.product_picture import ProductView, draw_product
from data_prep.pictures.sheet import Sheet
from data_prep.pictures.shown_example import find_example, shown_example
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.record_table import read_serialized
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_examples
from kaleido_tf.files.input_files import find_files
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.record import Record
from kaleido_tf.text import Vocabulary
from kaleido_tf.words import STOP_WORDS, words_of


class ProductViews:
    """Views of the products of some records.

    Args:
      pattern: the records, as a `*_input_fp` flag names them.
      settings, config, tasks: of the training whose examples are shown; tasks None: all.
      catalogue, weights, masks, preprocessing: see `RecordPhotos` and `ProductMasks`. captioner:
        what says, or reads, the caption.
    Raises: InputError for records that are not Kaleido-BERT's, and as those two.
    """

    def __init__(
        self,
        pattern: str,
        settings: ExamplesConfig,
        config: KaleidoBertConfig,
        tasks: tuple[str, ...] | None = None,
        catalogue: str = "",
        weights: str = "",
        masks: str = "",
        captioner: CaptionRegions | None = None,
        preprocessing: str = "",
    ):
        self._pattern, self._text_length = pattern, settings.text_length
        self._vocabulary = Vocabulary(pathlib.Path(find_files(pattern)[0]).parent / "vocab.txt")
        self._examples = read_examples(pattern, settings, config, tasks, self._vocabulary)
        self._catalogue, self._mask_sources, self._captioner = (
            catalogue,
            {"weights": weights, "masks": masks, "preprocessing": preprocessing},
            captioner,
        )
        self._sources: dict[str, tuple[dict, RecordPhotos, ProductMasks]] = {}

    def first_image(self, product_id: str) -> str:
        """The image id of a product's first photo. Raises: InputError if the records do not have
        it.
        """
        return self._table.image_ids[self._find("product", product_id, self._table.product_ids)]

    def check_image(self, image_id: str) -> str:
        """The image id itself. Raises: InputError if the records do not have it."""
        return self._table.image_ids[self._find("image", image_id, self._table.image_ids)]

    def draw(self, image_id: str, epoch: int | None = None) -> Sheet:
        """The picture of one photo and its training example of `epoch` (None: the first with its
        own text).
        """
        return draw_product(self.view(image_id, epoch))

    def view(self, image_id: str, epoch: int | None = None) -> ProductView:
        """What the picture shows. Raises: InputError if a photo is missing or has changed."""
        example = shown_example(
            self._examples, find_example(self._examples, image_id, epoch), self._vocabulary
        )
        row, donor_row, table = example.drawn.record, example.drawn.donor, self._table
        record, folder = self._record(row)
        dataset, photos, masks = self._sources_of(folder)
        photo, crop_box = (
            photos.load(image_id, record["image_size"].tolist()),
            tuple(record["crop_box"].tolist()),
        )
        product_id = table.product_ids[row]
        mask, note = masks.find(
            Photo(photo, product_id, image_id, photos.image(image_id).where), crop_box
        )
        return ProductView(
            product_id=product_id,
            image_id=image_id,
            title=record["title"].decode(),
            text=record["text"].decode(),
            category=(
                f"{dataset['subcategories'][record['subcategory_id']]}"
                f" ({dataset['categories'][record['category_id']]})"
            ),
            photo=photo,
            crop_box=crop_box,
            mask=mask,
            mask_note=note,
            crop=self._crop(row),
            aligned=AlignedText(
                pieces=[self._vocabulary.tokens[number] for number in record["token_ids"]],
                words=words_of(record["token_ids"], self._vocabulary),
                pairs=Alignments(
                    record["alignment_tokens"],
                    record["alignment_patches"],
                    record["alignment_scores"],
                ),
                text_length=self._text_length,
            ),
            caption=self._caption(row, folder),
            example=example,
            donor_crop=self._crop(donor_row),
            donor_name=table.image_ids[donor_row],
            text_owner=table.product_ids[np.flatnonzero(table.texts == example.drawn.text)[0]],
        )

    def _caption(self, row: int, folder: str) -> tuple[str, list[Region]] | None:
        if self._captioner is None:
            return None
        ((caption, regions),) = self._captioner.describe(
            folder, [Record.parse(read_serialized(self._table, row).numpy())]
        )
        return self._vocabulary.text_of(caption.token_ids), [
            region for region in regions if region.word not in STOP_WORDS
        ]

    @property
    def _table(self):
        return self._examples.table

    def _find(self, kind: str, name: str, ids: np.ndarray) -> int:
        numbers = np.flatnonzero(ids == name)
        if not len(numbers):
            raise InputError(
                f"Needed: a {kind} of the records {self._pattern}."
                f" Received: {name!r}, which is not"
                f" there. One that is there: {ids[0]}"
            )
        return int(numbers[0])

    def _record(self, row: int) -> tuple[dict, str]:
        """(a record's fields as arrays, the folder it lies in)"""
        parsed = self._table.parse(read_serialized(self._table, row))
        file = int(np.searchsorted(self._table.file_starts, row, side="right")) - 1
        return {name: value.numpy() for name, value in parsed.items()}, os.path.dirname(
            self._table.files[file]
        ) or "."

    def _sources_of(self, folder: str) -> tuple[dict, RecordPhotos, ProductMasks]:
        """What lies behind the records of a folder; read once."""
        if folder not in self._sources:
            dataset = read_dataset_json(folder)
            photos = RecordPhotos(dataset, folder, self._catalogue)
            masks = ProductMasks(dataset, folder, owners=photos.owners, **self._mask_sources)
            self._sources[folder] = (dataset, photos, masks)
        return self._sources[folder]

    def _crop(self, row: int) -> np.ndarray:
        record, folder = self._record(row)
        _, photos, _ = self._sources_of(folder)
        return photos.crop(
            self._table.image_ids[row],
            record["image_size"].tolist(),
            record["crop_box"].tolist(),
            int(self._table.views[row]),
        )
