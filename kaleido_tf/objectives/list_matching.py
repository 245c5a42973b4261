"""Learning to rank from lists: of several candidates the right one is to have the highest score
(softmax over the list, as ViLT is fine-tuned for retrieval).

L = lists of a batch, C = candidates of a list, S = text length.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf import losses
from kaleido_tf.families import build_model
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.objectives.list_config import ListConfig

SMALLEST_WEIGHT, LARGEST_WEIGHT = 0.02, 20.0
"""Of a comparison's score, where a model begins to learn."""
PAIR_INPUTS = ("input_ids", "input_mask", "segment_ids", "comparison_score", "comparison_fits")


class ListMatching(tf.Module):
    """A model that reads its comparison (`reads_comparison` of its config) and learns to rank
    (`training.trainer.Trainable`). The comparison itself is not trained: its scores come with the
    lists, from comparisons that have not seen their products (comparison_folds.py).

    Attributes:
      config, text_length. backbone: the family's model.
      named_layers: those of the backbone, and the dropout of patch features.
    """

    total_is_linear = True
    needs_whole_batch = ""
    fast_variables = ()
    step_tasks: Mapping[str, float] = {}
    loss_names = ("list_loss",)

    def __init__(self, config: ModelConfig, text_length: int, settings: ListConfig):
        super().__init__(name="list_matching")
        self.config, self.text_length = config, text_length
        self.backbone = build_model(config, (), text_length)
        # The masked-language head is not trained and stays, for captions and pre-training.
        _ = self.backbone.pretrainer, self.backbone.matcher
        self._hide = tf_keras.layers.Dropout(settings.hidden_features, name="hidden_features")
        self.named_layers = {**self.backbone.named_layers, self._hide.name: self._hide}

    @property
    def trainable_variables(self):
        """What the score of a pair reaches, but for the comparison."""
        return self.backbone.list_scorer.trainable_variables

    def losses(self, batch, task=None, training=False) -> dict[str, losses.WeightedSum]:
        """Loss and accuracy of a batch of lists, whose first candidates are right."""
        del task  # there is one alone
        scores = self.scores(batch, training)
        result = losses.ClassificationLoss()(scores, tf.zeros(tf.shape(scores)[0], tf.int32))
        return {"list_loss": result["loss"], "list_accuracy": result["accuracy"]}

    def scores(self, batch, training=False) -> tf.Tensor:
        """[L, C] float32."""
        lists, candidates = tf.unstack(tf.shape(batch["input_ids"])[:2])
        pairs = {
            name: tf.reshape(value, tf.concat([[-1], tf.shape(value)[2:]], 0))
            for name, value in batch.items()
        }
        features = self._with_hidden(tf.cast(batch["patch_features"], tf.float32), training)
        features = tf.reshape(features, tf.concat([[-1], tf.shape(features)[2:]], 0))
        image = self.backbone.image_inputs(features, pairs["patch_boxes"])
        fed = {**{name: pairs[name] for name in PAIR_INPUTS}, **image}
        scores = self.backbone.list_scorer(fed, training=training)
        return tf.reshape(scores, [lists, candidates])

    def _with_hidden(self, features, training: bool):
        """Patch features [L, C, P, F] of which some are their mean over training, which says
        nothing; the same of all candidates of a list, so that none is told from another by that.
        """
        ones = tf.ones_like(features[:, :1])
        seen = self._hide(ones, training=training) > 0
        normalisation = self.named_layers.get("feature_normalisation")
        return tf.where(seen, features, normalisation.mean if normalisation else 0.0)

    def total(self, losses):
        """The loss itself."""
        return losses["list_loss"], {}

    def figures(self, sums) -> dict[str, float]:
        """Nothing beside the means."""
        del sums
        return {}


def fitted_score_weight(scores: np.ndarray) -> float:
    """The factor on the scores [L, C] of lists whose first candidates are right that makes their
    mean loss least (a golden-section search); what the encoder adds is learnt beside it.
    """

    def loss(log_weight):
        logits = scores * np.exp(log_weight)
        return np.mean(np.logaddexp.reduce(logits, axis=1) - logits[:, 0])

    low, high = np.log(SMALLEST_WEIGHT), np.log(LARGEST_WEIGHT)
    section = (np.sqrt(5) - 1) / 2
    while high - low > 1e-3:
        left, right = high - section * (high - low), low + section * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))
