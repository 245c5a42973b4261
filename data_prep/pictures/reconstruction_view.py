"""From records of pixels and a trained MVLT to what a picture of its reconstruction shows: one
training example of a photo, and what the model makes of it.

s = pixels a side of what the model sees.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from data_prep.pictures.reconstruction_picture import ReconstructionView, draw_reconstruction
from data_prep.pictures.sheet import Sheet
from data_prep.pictures.shown_example import find_example, shown_tokens
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.pipeline import read_row
from kaleido_tf.data.record_table import read_serialized
from kaleido_tf.errors import InputError
from kaleido_tf.families import read_examples
from kaleido_tf.records.record import Record
from kaleido_tf.text import Vocabulary

TASK = "image"


class ReconstructionViews:
    """Views of the photos of some records.

    Args:
      pattern: the records, as a `*_input_fp` flag names them.
      settings: of the training whose examples are shown.
      model: a trained model that reconstructs masked photos. vocabulary: its own.
    Raises: InputError for a model that does not, and for records that it does not read.
    """

    def __init__(self, pattern: str, settings: ExamplesConfig, model, vocabulary: Vocabulary):
        if TASK not in model.tasks or not hasattr(model, "image_inputs"):
            raise InputError(
                "--model: a model that was trained to reconstruct photos is needed. Received: a"
                f" {model.config.model_type} trained for {', '.join(model.tasks) or 'no such task'}"
            )
        settings = dataclasses.replace(settings, text_length=model.text_length)
        self._pattern, self._model, self._vocabulary = pattern, model, vocabulary
        self._examples = read_examples(pattern, settings, model.config, (TASK,), vocabulary)

    def first_image(self, product_id: str) -> str:
        """The image id of a product's first photo. Raises: InputError if the records do not have
        it.
        """
        return self._find("product", product_id, self._examples.table.product_ids)

    def check_image(self, image_id: str) -> str:
        """The image id itself. Raises: InputError if the records do not have it."""
        return self._find("image", image_id, self._examples.table.image_ids)

    def _find(self, kind, wanted, ids) -> str:
        (rows,) = np.nonzero(ids == wanted)
        if not len(rows):
            raise InputError(f"--{kind}_id={wanted} is not in the records {self._pattern}")
        return self._examples.table.image_ids[rows[0]]

    def draw(self, image_id: str, epoch: int | None = None) -> Sheet:
        """The picture of one photo and its training example of `epoch` (None: the first with its
        own text).
        """
        return draw_reconstruction(self.view(image_id, epoch))

    def view(self, image_id: str, epoch: int | None = None) -> ReconstructionView:
        """What the picture shows."""
        drawn = find_example(self._examples, image_id, epoch)
        table = self._examples.table
        example = self._examples.make_example(read_row(table, drawn))
        batch = self._examples.masked_batch({name: v[None] for name, v in example.items()})
        logits = self._model.pretrainer(batch, training=False)["logits"]
        record = Record.parse(read_serialized(table, drawn.record).numpy())
        ids = example["input_ids"].numpy()
        made = {name: value.numpy() for name, value in example.items()}
        made["input_mask"] = (ids != self._vocabulary.pad_id).astype(np.int32)
        return ReconstructionView(
            product_id=record.product_id,
            image_id=image_id,
            title=record.title,
            text=record.text,
            photo=_pixels(batch["image_targets"]),
            masked=_pixels(batch["images"]),
            masked_cells=made["masked_cells"],
            reconstruction=_pixels(logits[TASK]),
            tokens=shown_tokens(made, self._vocabulary),
            said=self._said(logits["masked_lm"], made),
            epoch=drawn.position // len(self._examples),
            matched=drawn.matched,
            match_probability=float(tf.nn.softmax(logits["next_sentence"])[0, 1]),
        )

    def _said(self, logits, made) -> list[tuple[str, str, float]]:
        """(the true word piece, what the model takes it for, how sure it is) of each masked one."""
        used = made["masked_lm_weights"] > 0
        shares = tf.nn.softmax(logits[0]).numpy()  # of the used places alone
        names = self._vocabulary.tokens
        return [
            (names[true], names[share.argmax()], float(share.max()))
            for true, share in zip(made["masked_lm_ids"][used], shares, strict=True)
        ]


def _pixels(photos: tf.Tensor) -> np.ndarray:
    """[1, s, s, 3] float in [0, 1], or beyond it, as [s, s, 3] uint8."""
    return np.rint(np.clip(photos.numpy()[0], 0, 1) * 255).astype(np.uint8)
