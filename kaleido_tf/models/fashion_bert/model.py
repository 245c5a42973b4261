"""FashionBERT (Gao et al., SIGIR 2020; EasyTransfer's `fashion_bert`): an image as a grid of
patches.

B = batch, P = patches (8 x 8 of the photo), F = feature size, K = masked patches.
The sequence is the text, then the patches row by row.
"""

from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.layers.embeddings import BlankPatches, PatchEmbedding, PatchPositions
from kaleido_tf.layers.heads import PatchReconstruction, gather_places
from kaleido_tf.losses import PatchDivergenceLoss, adaptive_weights
from kaleido_tf.models.cross_modal import CrossModalBert
from kaleido_tf.models.fashion_bert.config import FashionBertConfig

PATCH_SEGMENT = 1
"""The original looks up this row of the patch type table for every patch."""


class FashionBert(CrossModalBert):
    """FashionBERT; its three losses are weighed against each other at every step
    (`losses.adaptive_weights`).

    Image inputs: `patch_features` [B, P, F] float, `patch_mask` [B, P] int (1: the patch is there).
    Task inputs (`image`, masked patch modelling): `masked_patch_positions` [B, K] int.
    """

    TASKS = ("image",)
    total_is_linear = False
    needs_whole_batch = "the adaptive loss"

    def __init__(
        self,
        config: FashionBertConfig,
        tasks: tuple[str, ...] | None = None,
        text_length: int | None = None,
        loss_weights: Mapping[str, float] | None = None,
    ):
        patches = config.max_patch_position_embeddings
        super().__init__(config, tasks, text_length, loss_weights, patches)

    @classmethod
    def check_settings(cls, config, tasks, loss_weights):
        """As the base class. Raises: InputError for a loss weight: the family weighs its losses
        itself.
        """
        super().check_settings(config, tasks, loss_weights)
        given = {name: weight for name, weight in (loss_weights or {}).items() if weight != 1.0}
        if given:
            named = ", ".join(f"{name} {weight:g}" for name, weight in given.items())
            raise InputError(
                "FashionBERT weighs its losses itself: --matching_weight must be 1. Received a"
                f" factor for {named}"
            )

    def _image_layers(self):
        config = self.config
        size, spread = config.hidden_size, config.initializer_range
        return {
            "patch_positions": PatchPositions(
                size, config.max_patch_position_embeddings, spread, name="patch_positions"
            ),
            "patch_embedding": PatchEmbedding(
                size,
                PATCH_SEGMENT,
                config.patch_type_vocab_size,
                config.hidden_dropout_prob,
                spread,
                config.layer_norm_eps,
                name="patch_embedding",
            ),
        }

    def _patch_inputs(self):
        return {
            "patch_features": tf_keras.Input(
                [self.num_patches, self.config.patch_feature_size], name="patch_features"
            ),
            "patch_mask": tf_keras.Input([self.num_patches], dtype=tf.int32, name="patch_mask"),
        }

    def image_inputs(self, features, boxes):
        """The image inputs of photos with patch features [B, P, F] and boxes [B, P, 5]."""
        del boxes  # patches are known by their place in the grid
        return {"patch_features": features, "patch_mask": tf.ones(tf.shape(features)[:2], tf.int32)}

    def _patch_features(self, inputs):
        return inputs["patch_features"]

    def _embed_image(self, inputs):
        features = self._normalised(inputs["patch_features"])
        return self.named_layers["patch_embedding"](
            features, self.named_layers["patch_positions"](features)
        )

    def _task_layers(self):
        config = self.config
        return {
            task: PatchReconstruction(
                config.patch_feature_size, config.initializer_range, name=task
            )
            for task in self.tasks
        }

    def _task_inputs(self):
        shape = [self.config.masked_image_token_num]
        name = "masked_patch_positions"
        return {name: tf_keras.Input(shape, dtype=tf.int32, name=name)} if self.tasks else {}

    def _feed_of(self, inputs):
        feed = super()._feed_of(inputs)
        if self.tasks:
            feed["patch_features"] = BlankPatches(name="blank_patches")(
                inputs["patch_features"], inputs["masked_patch_positions"]
            )
        return feed

    def _run_task(self, task, patches, inputs):
        logits = self.named_layers[task](patches, inputs["masked_patch_positions"])
        target = gather_places(inputs["patch_features"], inputs["masked_patch_positions"])
        loss = PatchDivergenceLoss(joint_target=False, scale=self.config.reconstruct_scale)
        return logits, loss(logits, target)

    def total(self, losses):
        """The adaptive loss (section 3.3 of the paper, as the release computes it) and its three
        weights. Raises: InputError where the image's loss was left out: the weights need all three.
        """
        if "image" not in self.tasks:
            raise InputError(
                "FashionBERT weighs its three losses against each other: --kaleido_tasks must hold"
                " image, or be left out. Received: none"
            )
        names = ("masked_lm", "next_sentence", "image")
        values = tf.stack([losses[f"{name}_loss"] for name in names])
        weights = adaptive_weights(values)
        figures = {f"{name}_weight": w for name, w in zip(names, tf.unstack(weights))}
        return tf.reduce_sum(weights * values), figures
