"""Text-guided image retrieval (FashionViL, section 4.2, "TGIR"): a photo and a text of what is to
change find the photo that is looked for.

B = batch, S = text length, s = pixels a side, D = vector size.
"""

from collections.abc import Mapping

import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.families import FAMILIES, build_model
from kaleido_tf.losses import WeightedSum
from kaleido_tf.models.config import ModelConfig

TEXT = ("input_ids", "input_mask")


def check_composes(config: ModelConfig) -> None:
    """Raises: InputError for a family that has no vector of a photo with a text."""
    if not hasattr(FAMILIES[config.model_type].model, "composed_vectors"):
        raise InputError(
            "--task=text_guided_retrieval needs a model with one vector of a photo and a text, a"
            f" FashionViL. Received: a {config.model_type}"
        )


class TextGuidedRetrieval(tf.Module):
    """A model that is fine-tuned on triplets (`training.trainer.Trainable`): batches of
    `data.triplet_examples.TripletExamples`. It has no weights beside those of pre-training.

    Args: wrong_references: whether reference photos are wrong answers, too.

    Attributes:
      config, text_length. backbone: the family's model. named_layers: those of the backbone.
    Raises: InputError as `check_composes`.
    """

    total_is_linear = True
    needs_whole_batch = "the contrast between the triplets of a batch"
    step_tasks: Mapping[str, float] = {}
    loss_names = ("composition_loss",)

    def __init__(self, config: ModelConfig, text_length: int, wrong_references: bool = False):
        super().__init__(name="text_guided_retrieval")
        check_composes(config)
        self.config, self.text_length = config, text_length
        self._wrong_references = wrong_references
        self.backbone = build_model(config, (), text_length)
        self.named_layers = self.backbone.named_layers
        _ = self.backbone.pretrainer  # makes all weights

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """What queries and targets reach; nothing pools, and what has no gradient must not
        decay.
        """
        unused = {id(v) for v in self.named_layers["pooler"].trainable_variables}
        return tuple(v for v in self.backbone.trainable_variables if id(v) not in unused)

    @property
    def fast_variables(self) -> tuple[tf.Variable, ...]:
        """As in pre-training: of the image encoder and the projection of its tokens."""
        return self.backbone.fast_variables

    def losses(self, batch, task=None, training=False) -> dict[str, WeightedSum]:
        """Loss, and how often the own target is the nearest of the batch."""
        del task  # there is one alone
        targets = self.backbone.image_inputs(batch["target_photo"])
        fed = {
            **self._query(batch),
            "target_images": targets["images"],
            **{name: batch[name] for name in ("target_number", "reference_number")},
        }
        found = self.backbone.composition_losses(fed, training, self._wrong_references)
        return {f"composition_{name}": value for name, value in found.items()}

    def total(self, losses):
        """The loss itself."""
        return losses["composition_loss"], {}

    def figures(self, sums) -> dict[str, float]:
        """Nothing beside the means: recall is measured over whole galleries."""
        del sums
        return {}

    # Vectors [B, D] float32 of length 1, in the form that `evaluation.scoring.score_batches` takes.

    def query_vectors(self, batch, training=False) -> tf.Tensor:
        """Of reference photos, each with its text."""
        del training
        fed = self._query(batch)
        return self.backbone.composed_vectors(fed, fed)

    def text_vectors(self, batch, training=False) -> tf.Tensor:
        """Of texts alone."""
        del training
        return self.backbone.text_vectors(batch)

    def photo_vectors(self, batch, training=False) -> tf.Tensor:
        """Of photos alone: `photo` [B, s, s, 3] uint8."""
        del training
        return self.backbone.image_vectors(self.backbone.image_inputs(batch["photo"]))

    def _query(self, batch) -> dict[str, tf.Tensor]:
        texts = {name: batch[name] for name in TEXT}
        return {**texts, **self.backbone.image_inputs(batch["reference_photo"])}
