"""Kaleido-BERT (section 3): a crop in five levels of patches, and a task on each.

B = batch, P = patches of a level, F = feature size, H = hidden size, K = masked patches of a level.
The sequence is the text, then the levels in order: S + 1 + 4 + 9 + 16 + 25 places.
"""

from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from kaleido_tf import losses, patches
from kaleido_tf.layers.embeddings import BlankPatches, BoxProjection, PatchEmbedding
from kaleido_tf.layers.heads import LevelClassifier, PatchReconstruction, gather_places
from kaleido_tf.models.cross_modal import CrossModalBert
from kaleido_tf.models.kaleido_bert.config import KaleidoBertConfig

COMPARED_LEVELS = 3
"""Levels that a comparison below the encoder sees; its towers see the first two."""


class KaleidoBert(CrossModalBert):
    """Kaleido-BERT; its losses add up to equation 8.

    Image inputs, of each level: `..._features` [B, P, F] float and `..._boxes` [B, P, 5] int
      (pixels of the crop).
    Task inputs: of classified levels `..._label` [B]; of reconstructed levels `..._positions` [B,
      K], and
    `grey_to_color_targets` [B, K, F] (their features in colour).
    """

    TASKS = patches.LEVEL_NAMES
    # Sub-tasks I to V of section 3.6; masked language and matching are always trained.
    # Levels 1 to 3, where a patch still shows a part of a garment: with level 4 the comparison
    # costs twice as much and found no more on training products that were held out.
    COMPARED_PATCHES = tuple(
        patches.level_slice(patches.LEVEL_NAMES[last]).stop for last in (COMPARED_LEVELS - 1, 1)
    )

    def __init__(
        self,
        config: KaleidoBertConfig,
        tasks: tuple[str, ...] | None = None,
        text_length: int | None = None,
        loss_weights: Mapping[str, float] | None = None,
    ):
        super().__init__(config, tasks, text_length, loss_weights, patches.NUM_PATCHES)

    def _image_layers(self):
        config = self.config
        size, spread = config.hidden_size, config.initializer_range
        layers = {
            "box_projection": BoxProjection(size, config.box_unit, spread, name="box_projection")
        }
        for segment_id, level in enumerate(patches.LEVEL_NAMES, start=1):
            layers[f"{level}_embedding"] = PatchEmbedding(
                size,
                segment_id,
                config.patch_type_vocab_size,
                config.hidden_dropout_prob,
                spread,
                config.layer_norm_eps,
                name=f"{level}_embedding",
            )
        return layers

    def _patch_inputs(self):
        inputs = {}
        for level, count in patches.LEVEL_PATCHES.items():
            inputs[f"{level}_features"] = tf_keras.Input(
                [count, self.config.patch_feature_size], name=f"{level}_features"
            )
            inputs[f"{level}_boxes"] = tf_keras.Input(
                [count, 5], dtype=tf.int32, name=f"{level}_boxes"
            )
        return inputs

    def image_inputs(self, features, boxes):
        """The image inputs of photos with patch features [B, P, F] and boxes [B, P, 5]."""
        inputs = {}
        for level in patches.LEVEL_NAMES:
            inputs[f"{level}_features"] = features[:, patches.level_slice(level)]
            inputs[f"{level}_boxes"] = boxes[:, patches.level_slice(level)]
        return inputs

    def _patch_features(self, inputs):
        levels = patches.LEVEL_NAMES[:COMPARED_LEVELS]
        return tf.concat([inputs[f"{level}_features"] for level in levels], axis=1)

    def _embed_image(self, inputs):
        layers = self.named_layers
        crop = inputs["rotation_boxes"]
        levels = []
        for level in patches.LEVEL_NAMES:
            boxes = layers["box_projection"](inputs[f"{level}_boxes"], crop)
            levels.append(
                layers[f"{level}_embedding"](self._normalised(inputs[f"{level}_features"]), boxes)
            )
        return tf.concat(levels, axis=1)

    def _task_layers(self):
        config = self.config
        labels = {
            "rotation": config.img_rotation_label_num,
            "jigsaw": config.img_jigsaw_label_num,
            "camouflage": config.img_camouflage_label_num,
        }
        return {
            level: (
                LevelClassifier(labels[level], config.initializer_range, name=level)
                if level in patches.CLASSIFIED_LEVELS
                else PatchReconstruction(
                    config.patch_feature_size, config.initializer_range, name=level
                )
            )
            for level in self.tasks
        }

    def _task_inputs(self):
        config = self.config
        masked = {
            "grey_to_color": config.masked_greymask_patch_num,
            "blank_to_color": config.masked_blankmask_patch_num,
        }
        inputs = {}
        for level in self.tasks:
            if level in patches.CLASSIFIED_LEVELS:
                inputs[f"{level}_label"] = tf_keras.Input([], dtype=tf.int32, name=f"{level}_label")
            else:
                inputs[f"{level}_positions"] = tf_keras.Input(
                    [masked[level]], dtype=tf.int32, name=f"{level}_positions"
                )
        if "grey_to_color" in self.tasks:
            shape = [config.masked_greymask_patch_num, config.patch_feature_size]
            inputs["grey_to_color_targets"] = tf_keras.Input(shape, name="grey_to_color_targets")
        return inputs

    def _feed_of(self, inputs):
        feed = super()._feed_of(inputs)
        if "blank_to_color" in self.tasks:
            feed["blank_to_color_features"] = BlankPatches(name="blank_patches")(
                inputs["blank_to_color_features"], inputs["blank_to_color_positions"]
            )
        return feed

    def _run_task(self, task, hidden, inputs):
        hidden = _level(hidden, task)
        if task in patches.CLASSIFIED_LEVELS:
            logits = self.named_layers[task](hidden)
            return logits, losses.ClassificationLoss()(logits, inputs[f"{task}_label"])
        logits = self.named_layers[task](hidden, inputs[f"{task}_positions"])
        joint = task == "grey_to_color" and self.config.grey_target == "joint"
        loss = losses.PatchDivergenceLoss(joint, self.config.reconstruct_scale)
        return logits, loss(logits, _reconstruction_target(inputs, task))


def _level(hidden, level: str) -> tf.Tensor:
    """The places of one level: [B, 55, H] -> [B, P, H]."""
    return hidden[:, patches.level_slice(level)]


def _reconstruction_target(inputs, level):
    """[B, K, F]: the patches in colour. Grey ones are replaced in the data, so their colour comes
    beside them.
    """
    if level == "grey_to_color":
        return inputs["grey_to_color_targets"]
    return gather_places(inputs[f"{level}_features"], inputs[f"{level}_positions"])
