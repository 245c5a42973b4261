"""Captioning (Kaleido-BERT, section 4.2, "FC"): the pre-trained masked-language head learns to
predict the word pieces of an image's text.

B = batch, S = text length, P = patches, K = masked places.
"""

from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from kaleido_tf import losses
from kaleido_tf.families import build_model
from kaleido_tf.layers.heads import UsedPlaces
from kaleido_tf.models.config import ModelConfig

TASK = "caption"
TARGETS = ("caption_positions", "caption_ids", "caption_weights")


class Captioner(tf.Module):
    """An encoder that learns to write (`training.trainer.Trainable`). It has no weights beside
    those of pre-training.

    Args: causal: whether a place of the text sees only what stands before it. smoothing: of the
      targets.

    Attributes:
      config, text_length.
      backbone: the family's model, of which encoder and masked-language head are built.
      named_layers: those of the backbone.
      objective: functional model of the encoder's inputs and `caption_positions`, `caption_ids` [B,
        K] int, `caption_weights` [B, K] (0: an unused slot) to {"logits": [1, N, V] of the N used
        slots, "losses", "accuracies"}.
    """

    total_is_linear = True
    needs_whole_batch = ""
    fast_variables = ()
    step_tasks: Mapping[str, float] = {}
    loss_names = ("caption_loss",)

    def __init__(self, config: ModelConfig, text_length: int, causal: bool, smoothing: float = 0.0):
        super().__init__(name=TASK)
        self.config, self.text_length = config, text_length
        self.backbone = build_model(config, (), text_length)
        self.named_layers = self.backbone.named_layers
        inputs = self.backbone.encoder_inputs()
        if causal:
            sequence = self.backbone.causal_encoder(inputs)
        else:
            sequence = self.backbone.encoder(inputs)["sequence_output"]
        for name, dtype in zip(TARGETS, (tf.int32, tf.int32, tf.float32)):
            inputs[name] = tf_keras.Input([None], dtype=dtype, name=name)
        targets = (inputs[name] for name in TARGETS)
        hidden, positions, ids, weights = UsedPlaces(name="used_places")(sequence, *targets)
        logits = tf.cast(self.named_layers["masked_lm"](hidden, positions), tf.float32)
        result = losses.MaskedLanguageLoss(smoothing)(logits, ids, weights)
        outputs = {
            "logits": logits,
            "losses": {"caption_loss": result["loss"]},
            "accuracies": {"caption_accuracy": result["accuracy"]},
        }
        self.objective = tf_keras.Model(inputs, outputs, name="captioner")

    @property
    def trainable_variables(self):
        """What the objective reaches."""
        return self.objective.trainable_variables

    def losses(self, batch, task=None, training=False) -> dict[str, losses.WeightedSum]:
        """Loss and accuracy of a batch's masked word pieces."""
        del task  # there is one alone
        image = self.backbone.image_inputs(batch["patch_features"], batch["patch_boxes"])
        fed = {name: {**batch, **image}[name] for name in self.objective.input}
        outputs = self.objective(fed, training=training)
        return {**outputs["losses"], **outputs["accuracies"]}

    def total(self, losses):
        """The loss itself."""
        return losses["caption_loss"], {}

    def figures(self, sums):
        """Nothing beside the means: captions are judged when they are written."""
        del sums
        return {}
