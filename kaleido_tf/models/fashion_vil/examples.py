"""A row of the pipeline to an example of FashionViL: two photos of an item, its text, whole and
masked, and what each task draws for it.

S = text length, V = image tokens, n = tokens a side, K = masked word pieces, A = attributes.
"""

import hashlib
import os
from collections.abc import Collection

import numpy as np
import tensorflow as tf

from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.photos import cut_anywhere, cut_centre, mirrored_by_chance
from kaleido_tf.data.pipeline import RecordExamples, text_inputs
from kaleido_tf.data.pseudo_attributes import AttributeVocabulary, multi_hot, read_attributes
from kaleido_tf.data.record_table import RecordTable, open_records
from kaleido_tf.data.sampling import Draw, fold, row_seed
from kaleido_tf.data.token_masking import MaskingConfig, choose_random_tokens, mask_tokens
from kaleido_tf.errors import InputError
from kaleido_tf.models.fashion_vil.block_masking import draw_block_mask, masked_count
from kaleido_tf.models.fashion_vil.config import FashionVilConfig
from kaleido_tf.models.fashion_vil.patch_tokenizer import PatchTokenizer
from kaleido_tf.models.fashion_vil.photo_colours import normalised
from kaleido_tf.models.fashion_vil.tokenizer_file import load_tokenizer
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.photo import parse_photo
from kaleido_tf.records.record import PIXELS
from kaleido_tf.text import Vocabulary

HIDDEN_SHARE = 0.25
"""Of the words, and of the image tokens, that are drawn to be hidden from the composed vector."""
NO_ATTRIBUTE = -1


def open_examples(
    pattern: str,
    settings: ExamplesConfig,
    config: FashionVilConfig,
    tasks: tuple[str, ...],
    vocabulary: Vocabulary,
) -> "ItemExamples":
    """The examples that a run makes of the records at `pattern`.

    Raises: InputError as `open_records`, `read_attributes` and `load_tokenizer`, and for attributes
      that a task needs and nobody named, or that are more than the model knows.
    """
    attributes, digests = None, set()
    table = open_records(pattern, PIXELS, config.record_size, vocabulary, settings.text_length)
    if "pac" in tasks:
        for folder in {os.path.dirname(file) or "." for file in table.files}:
            digests.add(read_dataset_json(folder).get("catalogue_digest", ""))
        attributes = _open_attributes(settings.pseudo_attributes, config, digests)
    examples = ItemExamples(table, settings, config, vocabulary, attributes, "icc" in tasks)
    if attributes and examples.without_attributes == len(table):
        raise InputError(
            f"Texts that hold a pseudo-attribute are needed. No text of {pattern} holds one of"
            f" {settings.pseudo_attributes}"
        )
    return examples


def _open_attributes(
    path: str | None, config: FashionVilConfig, catalogue_digests: Collection[str]
) -> AttributeVocabulary:
    if path is None:
        raise InputError(
            "The task pac needs --pseudo_attributes, a file of data_prep.write_pseudo_attributes;"
            " or leave it out with --kaleido_tasks=itm,itc,icc,mlm,mpfc"
        )
    attributes = read_attributes(path, catalogue_digests)
    if len(attributes) > config.num_attributes:
        raise InputError(
            f"The model's `num_attributes` is {config.num_attributes}. {path} has"
            f" {len(attributes)}: write it with --max_attributes={config.num_attributes}, or use a"
            " config.json that fits"
        )
    return attributes


class ItemExamples(RecordExamples):
    """As `RecordExamples`: each photo with its item's text, and another photo of the item, perhaps
    the same. A batch holds what the tasks of the model (models/fashion_vil/tasks.py) take.

    The release shows each item once an epoch, by a photo that is drawn; here each photo is shown.
    Args: compares_photos: whether a task compares two photos of an item.

    Of the items whose text holds none of the attributes, or whose attributes nobody named, the row
    of labels is 0.
    """

    def __init__(
        self,
        table: RecordTable,
        settings: ExamplesConfig,
        config: FashionVilConfig,
        vocabulary: Vocabulary,
        attributes: AttributeVocabulary | None,
        compares_photos: bool,
    ):
        self._compares_photos = compares_photos
        self._settings, self._model_config, self._vocabulary = settings, config, vocabulary
        self.attributes = attributes
        super().__init__(
            table,
            lambda row: self._example(row, _cut_by_chance),
            settings,
            donors=True,
            same_product=True,
            negatives="none",
            columns={"attribute_numbers": _attributes_of(table, vocabulary, attributes)},
            make_evaluated=lambda row: self._example(row, _cut_middle),
        )

    @property
    def digest(self) -> int:
        """As the base class; other attributes are other examples."""
        words = self.attributes.words if self.attributes else ()
        text = f"{super().digest} {' '.join(words)}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)

    def notes(self) -> list[str]:
        """What somebody who starts a run on these should know."""
        notes, table = super().notes(), self.table
        if self._compares_photos and len(set(table.product_ids)) == len(table):
            notes.append("every item has one photo: icc compares it with itself, cut another way")
        if self.attributes:
            notes.append(
                f"{len(self.attributes)} pseudo-attributes; {self.without_attributes} of"
                f" {len(table)} images have a text without any"
            )
        return notes

    @property
    def without_attributes(self) -> int:
        """Images with a text that holds none."""
        return int((self.columns["attribute_numbers"][:, 0] == NO_ATTRIBUTE).sum())

    def load_tokenizer(self) -> PatchTokenizer:
        """The patch tokenizer that a new model is given. Raises: InputError where nobody named one,
        or it does not fit the model.
        """
        path, config = self._settings.patch_tokenizer, self._model_config.patch_tokenizer
        if path is None:
            raise InputError(
                "The task mpfc of a new model needs --patch_tokenizer, a folder of"
                " data_prep.train_vq_tokens; or leave it out with"
                " --kaleido_tasks=itm,pac,itc,icc,mlm"
            )
        return load_tokenizer(path, config.grid, config.num_codes)

    def _example(self, row, cut):
        settings, config = self._settings, self._model_config
        draw = row_seed(row, settings.seed)
        other = fold(draw, Draw.OTHER_IMAGE)
        photos = {
            "images": self._photo(row["record"], cut, draw),
            "other_images": self._photo(row["donor"], cut, other),
        }
        cells = config.image_grid
        return {
            **photos,
            **self._text(row, draw),
            "masked_tokens": tf.reshape(draw_block_mask(draw, cells, masked_count(cells)), [-1]),
            "attributes": self._labels(row["attribute_numbers"]),
            "mismatch_draws": tf.random.stateless_uniform([], fold(draw, Draw.MISMATCH)),
            "hidden_places": draw_hidden(draw, settings.text_length, config.num_tokens),
        }

    def _photo(self, record, cut, draw):
        photo = parse_photo(record, self.table.size)
        return normalised(
            cut(photo, self._model_config.image_side, self._settings.mirror_probability, draw)
        )

    def _text(self, row, draw):
        """The text whole, and what masked language modelling takes of it."""
        masking = MaskingConfig.of(self._settings, self._most_masked, single_draw=True)
        example = text_inputs(row["input_ids"], row["used"])
        continues = tf.constant(self._vocabulary.is_continuation)
        chosen = choose_random_tokens(example, draw, masking, continues)
        masked = mask_tokens(chosen, draw, masking, self._vocabulary)
        slots = {name: masked[name] for name in masked if name.startswith("masked_lm_")}
        whole = {name: example[name] for name in ("input_ids", "input_mask")}
        return {**whole, "masked_input_ids": masked["input_ids"], **slots}

    @property
    def _most_masked(self) -> int:
        """Most word pieces of a text that are masked; whole words may exceed any share."""
        return self._settings.text_length

    def _labels(self, numbers):
        if not self.attributes:
            return tf.zeros([self._model_config.num_attributes])
        listed = tf.RaggedTensor.from_tensor(numbers[None])
        return multi_hot(listed, self._model_config.num_attributes)[0]


def draw_hidden(seed: tf.Tensor, words: int, tokens: int) -> tf.Tensor:
    """[S + V] int32: 1 at the places that are hidden from the composed vector: int(0.25 S) draws
    among the words, [CLS] and padding too, and int(0.25 V) among the image tokens, each with
    repetitions, as in the release, where all pairs of a batch share them.
    """
    parts = []
    for size, purpose in ((words, Draw.HIDDEN_WORDS), (tokens, Draw.HIDDEN_TOKENS)):
        count = int(HIDDEN_SHARE * size)
        drawn = tf.random.stateless_uniform([count], fold(seed, purpose), 0, size, dtype=tf.int32)
        hit = tf.math.unsorted_segment_max(tf.ones([count], tf.int32), drawn, size)
        parts.append(tf.maximum(hit, 0))
    return tf.concat(parts, axis=0)


def _cut_by_chance(photo, side, mirror_probability, draw):
    return mirrored_by_chance(cut_anywhere(photo, side, draw), mirror_probability, draw)


def _cut_middle(photo, side, mirror_probability, draw):
    del mirror_probability, draw
    return cut_centre(photo, side)


def _attributes_of(table, vocabulary, attributes) -> np.ndarray:
    """[N, most] int64: the attributes of each record's text, as far as the model reads it; the rest
    is `NO_ATTRIBUTE`.
    """
    if attributes is None:
        return np.full([len(table), 1], NO_ATTRIBUTE, np.int64)
    # Records hold pieces: what a hyphen holds together is apart in them.
    ordinary = ~vocabulary.is_special
    texts = [vocabulary.text_of(ids[ordinary[ids]]).replace(" - ", "-") for ids in table.sequences]
    found = attributes.numbers(texts).to_list()
    numbers = [sorted(set(row) - {NO_ATTRIBUTE}) for row in found]
    most = max(1, max(map(len, numbers)))
    padded = np.full([len(numbers), most], NO_ATTRIBUTE, np.int64)
    for row, listed in enumerate(numbers):
        padded[row, : len(listed)] = listed
    return padded[table.texts]
