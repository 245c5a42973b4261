"""A row of the pipeline to an example of MVLT: masked words, and cells of the photo to be masked.

S = text length, n = cells a side.
"""

import math

import tensorflow as tf

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.photos import cut_anywhere, cut_centre, in_unit_range, mirrored_by_chance
from kaleido_tf.data.pipeline import TEXT_INPUTS, RecordExamples, row_text
from kaleido_tf.data.record_table import RecordTable, open_records
from kaleido_tf.data.sampling import row_seed
from kaleido_tf.data.token_masking import MaskingConfig, choose_random_tokens, mask_tokens
from kaleido_tf.errors import InputError
from kaleido_tf.models.mvlt.config import MvltConfig
from kaleido_tf.models.mvlt.grid_masking import draw_grid, paint
from kaleido_tf.records.photo import parse_photo
from kaleido_tf.records.record import PIXELS
from kaleido_tf.text import Vocabulary

MODEL_TEXT_INPUTS = tuple(name for name in TEXT_INPUTS if name not in ("input_mask", "segment_ids"))
"""What the model takes of a text: padding is seen as any other word."""


def open_examples(
    pattern: str,
    settings: ExamplesConfig,
    config: MvltConfig,
    tasks: tuple[str, ...],
    vocabulary: Vocabulary,
) -> "PhotoExamples":
    """The examples that a run makes of the records at `pattern`. Raises: InputError as
    `open_records`, and for cells that do not divide the photo.
    """
    if "image" in tasks and config.image_side % settings.image_mask_cell:
        raise InputError(
            f"--image_mask_cell must divide the model's `image_side`={config.image_side}. Received:"
            f" {settings.image_mask_cell}"
        )
    table = open_records(pattern, PIXELS, config.record_size, vocabulary, settings.text_length)
    return PhotoExamples(table, settings, config, tasks, vocabulary)


class PhotoExamples(RecordExamples):
    """As `RecordExamples`, of records of pixels. A batch holds `images` [B, H, W, 3] float32 in [0,
    1], what the model sees of the photos.

    Where masked images are reconstructed (`tasks`), it holds the photos too, `image_targets`. Every
    second training batch shows them whole and every other masked, as in the release, so that words
    and matching are learnt from whole photos, too. Evaluation shows them masked, and the model
    takes whole ones beside them.
    """

    def __init__(
        self,
        table: RecordTable,
        settings: ExamplesConfig,
        config: MvltConfig,
        tasks: tuple[str, ...],
        vocabulary: Vocabulary,
    ):
        self._side, self._masks_images = config.image_side, "image" in tasks
        self._settings, self._vocabulary = settings, vocabulary
        super().__init__(table, self._training, settings, make_evaluated=self._evaluated)

    def _training(self, row: dict) -> dict:
        draw = row_seed(row, self._settings.seed)
        photo = cut_anywhere(parse_photo(row["record"], self.table.size), self._side, draw)
        photo = mirrored_by_chance(photo, self._settings.mirror_probability, draw)
        return self._example(row, photo, draw)

    def _evaluated(self, row: dict) -> dict:
        photo = cut_centre(parse_photo(row["record"], self.table.size), self._side)
        return self._example(row, photo, row_seed(row, self._settings.seed))

    def _example(self, row, photo, draw):
        settings, vocabulary = self._settings, self._vocabulary
        masking = MaskingConfig.of(settings, _most_masked(settings))
        is_continuation = tf.constant(vocabulary.is_continuation)
        example = choose_random_tokens(row_text(row), draw, masking, is_continuation)
        example = mask_tokens(example, draw, masking, vocabulary)
        inputs = {name: example[name] for name in MODEL_TEXT_INPUTS}
        if not self._masks_images:
            return {**inputs, "images": in_unit_range(photo)}
        inputs["image_targets"] = in_unit_range(photo)
        cells = self._side // settings.image_mask_cell
        inputs["masked_cells"] = draw_grid(
            draw, cells, settings.image_mask_share, settings.image_mask
        )
        return inputs

    @staticmethod
    def masked_batch(batch: dict) -> dict:
        """A batch of examples as the model is given it, every photo masked."""
        return {**_whole(batch), "images": paint(batch["image_targets"], batch["masked_cells"])}

    def _batched(self, dataset, batch_size, start, epochs, part):
        batches = super()._batched(dataset, batch_size, start, epochs, part)
        if not self._masks_images:
            return batches
        if epochs is not None:
            return batches.map(self.masked_batch, tf.data.AUTOTUNE, deterministic=True)
        return batches.enumerate(start // batch_size).map(
            lambda number, batch: tf.cond(
                number % 2 == 0, lambda: _whole(batch), lambda: self.masked_batch(batch)
            ),
            tf.data.AUTOTUNE,
            deterministic=True,
        )


def _most_masked(settings: ExamplesConfig) -> int:
    """Most word pieces of a text that are masked: six standard deviations above what masking each
    of them by itself gives, so that one text in 10^8 would have more.
    """
    expected = settings.token_fraction * settings.text_length
    spread = math.sqrt(expected * (1 - settings.token_fraction))
    return min(settings.text_length, math.ceil(expected + 6 * spread))


def _whole(batch: dict) -> dict:
    inputs = {name: value for name, value in batch.items() if name != "masked_cells"}
    return {**inputs, "images": batch["image_targets"]}
