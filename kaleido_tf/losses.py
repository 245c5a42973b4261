"""The losses of pre-training (Kaleido-BERT, section 3.6, equations 1 to 8; FashionBERT; MVLT), as
functions and as layers.

Every loss is a pair (total, weight): a sum over the examples of this replica and what divides it,
so that replicas with different numbers of masked tokens agree on the mean of the global batch;
`mean` divides. B = batch, K = masked places, V = vocabulary, C = classes, F = feature
size.
"""

import types
from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf
import tf_keras

PROBABILITY_FLOOR = 1e-7
"""Both sides of a divergence are clipped to [1e-7, 1], as in the original."""

MASKED_LM_EPSILON = 1e-5
"""Keeps a batch without any masked token finite, as in the original."""

SMALLEST_COUNT = 1e-9
"""Divides a sum of no examples, which is 0."""


class WeightedSum(NamedTuple):
    """A loss before its division: `total` and `weight`, float32 scalars."""

    total: tf.Tensor
    weight: tf.Tensor

    def mean(self) -> tf.Tensor:
        """The loss: a float32 scalar, NaN where the weight is 0."""
        return self.total / self.weight


class WeightedTotal:
    """What a run asks (`training.trainer.Trainable`) of a model whose total is the sum of the
    losses of a step, each times its weight (`_loss_weights`, by name without `_loss`).
    """

    total_is_linear = True

    def total(self, losses: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, dict]:
        """The sum of the losses' means, each by its weight."""
        weights = self._loss_weights
        return sum(
            weights.get(name.removesuffix("_loss"), 1.0) * value for name, value in losses.items()
        ), {}

    def figures(self, sums) -> dict[str, float]:
        """Nothing beside the means."""
        del sums
        return {}


class SummedLosses(WeightedTotal):
    """What a run asks besides of a model whose `pretrainer` computes all its losses in every
    step.
    """

    needs_whole_batch = ""
    TASK_LAYERS: Mapping[str, str] = types.MappingProxyType({})
    fast_variables: tuple[tf.Variable, ...] = ()
    step_tasks: Mapping[str, float] = types.MappingProxyType({})

    @property
    def trainable_variables(self):
        """Of the layers that pre-training reaches; makes them where they are not there yet."""
        return self.pretrainer.trainable_variables

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Of all losses that a step computes."""
        return tuple(f"{name}_loss" for name in ("masked_lm", "next_sentence", *self.tasks))

    def losses(self, batch, task=None, training=False) -> dict[str, WeightedSum]:
        """Losses and accuracies of a training batch by name; all of them at once."""
        return self.losses_of(self.pretrainer, batch, task, training)

    def losses_of(self, pretrainer, batch, task, training) -> dict[str, WeightedSum]:
        """`losses` as a functional model computes them."""
        if task is not None:
            raise ValueError(f"A model of type {self.config.model_type} has no single tasks")
        outputs = pretrainer(batch, training=training)
        return {**outputs["losses"], **outputs["accuracies"]}


def classification_loss(logits: tf.Tensor, labels: tf.Tensor) -> WeightedSum:
    """Cross entropy of matching, rotation, jigsaw and camouflage (equations 2 to 5). [B, C]
    float32, [B] int.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return WeightedSum(tf.reduce_sum(losses), tf.cast(tf.size(losses), tf.float32))


def contrastive_loss(logits: tf.Tensor, same_text: tf.Tensor) -> tf.Tensor:
    """Mean cross entropy of finding the own image for each text and the own text for each image,
    float32 scalar.

    Args:
      logits: [B, B] float32, text i against image j; pairs (i, i) belong together.
      same_text: [B, B] bool; pairs of products that share a text are neither right nor wrong and
        are left out.
    """
    own = tf.eye(tf.shape(logits)[0], dtype=tf.bool)
    logits = tf.where(same_text & ~own, logits.dtype.min, logits)
    labels = tf.range(tf.shape(logits)[0])
    each_way = [
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, way)
        for way in (logits, tf.transpose(logits))
    ]
    return tf.reduce_mean(each_way)


def masked_lm_loss(
    logits: tf.Tensor, ids: tf.Tensor, weights: tf.Tensor, smoothing: float = 0.0
) -> WeightedSum:
    """Cross entropy of the masked tokens (equation 1). [B, K, V] float32, [B, K] int, [B, K] float
    (0: unused slot).

    Args: smoothing: share of the target that is spread evenly over the vocabulary.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=ids, logits=logits)
    if smoothing:
        evenly = tf.reduce_logsumexp(logits, axis=-1) - tf.reduce_mean(logits, axis=-1)
        losses = (1 - smoothing) * losses + smoothing * evenly
    # Every replica brings its share of the epsilon, so that the sum over replicas holds it once.
    epsilon = MASKED_LM_EPSILON / tf.distribute.get_strategy().num_replicas_in_sync
    return WeightedSum(tf.reduce_sum(losses * weights), tf.reduce_sum(weights) + epsilon)


def patch_divergence_loss(
    logits: tf.Tensor, features: tf.Tensor, joint_target: bool, scale: float
) -> WeightedSum:
    """KL divergence from the target patches to the predicted ones (equations 6 and 7).

    Args:
      logits: [B, K, F] float32.
      features: [B, K, F] float. The patches as they were before they were greyed or blanked.
      joint_target: one softmax over all K patches of an example instead of one a patch. The
        original does this for grey patches; target and prediction then have different sums and the
        loss can be negative.
      scale: factor on the features before the softmax.
    """
    # No gradient may reach the projector of the features through the target.
    features = tf.stop_gradient(tf.cast(features, tf.float32)) * scale
    if joint_target:
        flat = tf.reshape(features, [-1, features.shape[1] * features.shape[2]])
        target = tf.reshape(tf.nn.softmax(flat), tf.shape(features))
    else:
        target = tf.nn.softmax(features)
    target = tf.clip_by_value(target, PROBABILITY_FLOOR, 1.0)
    predicted = tf.clip_by_value(tf.nn.softmax(logits), PROBABILITY_FLOOR, 1.0)
    divergences = tf.reduce_sum(target * tf.math.log(target / predicted), axis=-1)  # [B, K]
    return WeightedSum(tf.reduce_sum(divergences), tf.cast(tf.size(divergences), tf.float32))


def image_reconstruction_loss(images: tf.Tensor, targets: tf.Tensor) -> WeightedSum:
    """Smooth L1 distance of reconstructed images to the true ones, over all values, masked or not
    (MVLT's masked image reconstruction): half the square of a difference below 1, above it the
    difference less a half. [B, H, W, 3] float32 both.
    """
    differences = tf.abs(images - targets)
    distances = tf.where(differences < 1, 0.5 * differences**2, differences - 0.5)
    return WeightedSum(tf.reduce_sum(distances), tf.cast(tf.size(distances), tf.float32))


def adaptive_weights(losses: tf.Tensor) -> tf.Tensor:
    """FashionBERT's weights of its three losses (section 3.3), as the release computes them: [3] ->
    [3], adding up to 1.

    Each loss is held against 3 - softmax(losses)^2; a large loss gets a large weight. Gradients
    flow through the
    weights too: the release has no stop there, so a total is more than its weighted parts.
    """
    room = 3.0 - tf.square(tf.nn.softmax(losses))
    # The product of the two others, over the sum of the three products.
    products = tf.stack([room[1] * room[2], room[2] * room[0], room[0] * room[1]])
    return products / tf.reduce_sum(products)


class ClassificationLoss(tf_keras.layers.Layer):
    """`classification_loss` and accuracy in a functional model.

    Inputs: logits [B, C], labels [B] int. Output: {"loss": WeightedSum, "accuracy": WeightedSum}.
    """

    def __init__(self, **kwargs):
        super().__init__(dtype="float32", **kwargs)

    def call(self, logits, labels):
        loss = classification_loss(logits, labels)
        hits = tf.cast(tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels, tf.float32)
        return {"loss": loss, "accuracy": WeightedSum(tf.reduce_sum(hits), loss.weight)}


class KnownClassesLoss(tf_keras.layers.Layer):
    """Cross entropy over the C classes that a model knows, and accuracy over all examples.

    Inputs: logits [B, C], labels [B] int; an example whose label is C or more is of a class that
      the model does not know: it adds nothing to the loss and counts as wrong.
    Output: as `ClassificationLoss`. Args: class_weights: C factors of the examples' losses in
      training; None: 1 each. In evaluation the loss is the plain one.
    """

    def __init__(self, class_weights=None, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.class_weights = class_weights

    def call(self, logits, labels, training=None):
        known = labels < logits.shape[1]
        inside = tf.where(known, labels, 0)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=inside, logits=logits)
        counted = tf.cast(known, tf.float32)
        factors = counted
        if self.class_weights is not None and training:
            factors *= tf.gather(tf.constant(self.class_weights, tf.float32), inside)
        # A batch of unknown classes alone has a loss of 0.
        weight = tf.maximum(tf.reduce_sum(counted), SMALLEST_COUNT)
        hits = tf.cast(tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels, tf.float32)
        return {
            "loss": WeightedSum(tf.reduce_sum(losses * factors), weight),
            "accuracy": WeightedSum(tf.reduce_sum(hits), tf.cast(tf.size(labels), tf.float32)),
        }

    def get_config(self):
        return {**super().get_config(), "class_weights": self.class_weights}


class MaskedLanguageLoss(tf_keras.layers.Layer):
    """`masked_lm_loss` and accuracy in a functional model.

    Inputs: logits [B, K, V], ids [B, K] int, weights [B, K] float. Output: as `ClassificationLoss`.
    Args: smoothing: as `masked_lm_loss`, in training alone.
    """

    def __init__(self, smoothing=0.0, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.smoothing = smoothing

    def get_config(self):
        return {**super().get_config(), "smoothing": self.smoothing}

    def call(self, logits, ids, weights, training=None):
        loss = masked_lm_loss(logits, ids, weights, self.smoothing if training else 0.0)
        hits = tf.cast(tf.argmax(logits, axis=-1, output_type=ids.dtype) == ids, tf.float32)
        return {"loss": loss, "accuracy": WeightedSum(tf.reduce_sum(hits * weights), loss.weight)}


class PatchDivergenceLoss(tf_keras.layers.Layer):
    """`patch_divergence_loss` in a functional model.

    Inputs: logits [B, K, F], features [B, K, F]. Output: {"loss": WeightedSum}.
    """

    def __init__(self, joint_target, scale, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.joint_target = joint_target
        self.scale = scale

    def call(self, logits, features):
        return {"loss": patch_divergence_loss(logits, features, self.joint_target, self.scale)}

    def get_config(self):
        return {**super().get_config(), "joint_target": self.joint_target, "scale": self.scale}


class ImageReconstructionLoss(tf_keras.layers.Layer):
    """`image_reconstruction_loss` in a functional model.

    Inputs: images, targets [B, H, W, 3]. Output: {"loss", "squared_error": WeightedSum}.
    """

    def __init__(self, **kwargs):
        super().__init__(dtype="float32", **kwargs)

    def call(self, images, targets):
        error = tf.reduce_sum(tf.math.squared_difference(images, targets))
        loss = image_reconstruction_loss(images, targets)
        return {"loss": loss, "squared_error": WeightedSum(error, loss.weight)}
