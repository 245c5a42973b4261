"""Recognition (Kaleido-BERT, section 4.2, "CR"): a head on the pooled output of a family's encoder,
dense after dropout, or the one that the family has.

B = batch, C = classes that the model knows, L = C and those that its evaluation knows beside them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf import losses
from kaleido_tf.data.own_text_examples import IMAGE_FIELDS
from kaleido_tf.evaluation.classification import f1_figures
from kaleido_tf.families import build_model
from kaleido_tf.models.config import ModelConfig
from kaleido_tf.objectives.recognition_config import RecognitionConfig

NUM_CLASSES = {"catepred": 48, "subcatepred": 122}
"""The original's tasks and their classes: categories and sub-categories of Fashion-Gen."""

AS_THE_ORIGINAL = RecognitionConfig()
HEAD_DROPOUT = 0.1
HEAD_SPREAD = 0.01


class Classifier(tf.Module):
    """An encoder that is fine-tuned together with a new head (`training.trainer.Trainable`).

    Args:
      settings: what it sees and what is trained of it; the default is the original's.
      class_weights: C factors of the training examples' losses; None: 1 each.
      unseen: of records: how many classes its evaluation knows beside the C, L - C, whose examples
        count as wrong; None: rows of the original, whose figures count every class of its own.

    Attributes:
      task, num_classes, config, text_length.
      sees_images: whether the encoder is given patches beside the text.
      backbone: the family's model, of which the encoder alone is built.
      named_layers: those of the backbone and the head, `<task>_dense`.
      classifier: functional model of the encoder's inputs to logits [B, C].
      objective: functional model of the encoder's inputs and `label` [B] int to {"logits": {task:
        [B, C]}, "losses", "accuracies", "counts": {"confusion": [L, L], row the label, column the
        prediction}}.
    """

    total_is_linear = True
    needs_whole_batch = ""
    step_tasks: Mapping[str, float] = {}
    loss_names = ("classification_loss",)

    def __init__(
        self,
        config: ModelConfig,
        task: str,
        num_classes: int,
        text_length: int,
        settings: RecognitionConfig = AS_THE_ORIGINAL,
        class_weights: Sequence[float] | None = None,
        unseen: int | None = None,
    ):
        super().__init__(name=task)
        self.config, self.task, self.num_classes, self.text_length = (
            config,
            task,
            num_classes,
            text_length,
        )
        self._frozen, self._unseen = settings.freeze_encoder, unseen
        self.backbone = build_model(config, (), text_length)
        self.head, dropout = self._make_head()
        self.head_dropout = tf_keras.layers.Dropout(dropout, name=f"{task}_dropout")
        self.named_layers = {
            **self.backbone.named_layers,
            self.head.name: self.head,
            self.head_dropout.name: self.head_dropout,
        }
        self.sees_images = settings.modalities != "text"
        encoder = self.backbone.encoder if self.sees_images else self.backbone.text_encoder
        self.classifier = self._make_classifier(encoder)
        self.objective = self._make_objective(class_weights)

    def _make_head(self) -> tuple[tf_keras.layers.Layer, float]:
        """The head, and the dropout before it: what the family's `recognition_head` (number of
        classes, name) gives, without any, or the original's.
        """
        name, of_family = f"{self.task}_dense", getattr(self.backbone, "recognition_head", None)
        if of_family:
            return of_family(self.num_classes, name), 0.0
        spread = tf_keras.initializers.TruncatedNormal(stddev=HEAD_SPREAD)
        dense = tf_keras.layers.Dense(
            self.num_classes, kernel_initializer=spread, dtype="float32", name=name
        )
        return dense, HEAD_DROPOUT

    def _make_classifier(self, encoder) -> tf_keras.Model:
        inputs = {
            name: tf_keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
            for name, tensor in encoder.input.items()
        }
        # An encoder that is not trained is not disturbed either.
        outputs = encoder(inputs, training=False) if self._frozen else encoder(inputs)
        logits = self.head(self.head_dropout(outputs["pooled_output"]))
        return tf_keras.Model(inputs, logits, name="classifier")

    def _make_objective(self, class_weights) -> tf_keras.Model:
        inputs = {
            name: tf_keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
            for name, tensor in self.classifier.input.items()
        }
        label = tf_keras.Input([], dtype=tf.int32, name="label")
        logits = self.classifier(inputs)
        if self._unseen is None:
            result = losses.ClassificationLoss()(logits, label)
        else:
            result = losses.KnownClassesLoss(class_weights)(logits, label)
        labels = self.num_classes + (self._unseen or 0)
        outputs = {
            "logits": {self.task: logits},
            "losses": {"classification_loss": result["loss"]},
            "accuracies": {"accuracy": result["accuracy"]},
            "counts": {"confusion": ConfusionCounts(labels)(logits, label)},
        }
        return tf_keras.Model({**inputs, "label": label}, outputs, name="objective")

    @property
    def trainable_variables(self):
        """What the objective reaches, or the head alone; heads of pre-training get no gradient, and
        so no decay.
        """
        return self.head.trainable_variables if self._frozen else self.objective.trainable_variables

    @property
    def fast_variables(self) -> tuple[tf.Variable, ...]:
        """Of the backbone those that are trained, and the head's, where a family has such at
        all.
        """
        of_backbone = self.backbone.fast_variables
        if not of_backbone:
            return ()
        trained = {id(variable) for variable in self.trainable_variables}
        fast = (*of_backbone, *self.head.trainable_variables)
        return tuple(variable for variable in fast if id(variable) in trained)

    def losses(self, batch, task=None, training=False) -> dict[str, losses.WeightedSum]:
        """Loss and accuracy of a batch; in evaluation also the counts of (label, prediction), as a
        total [L, L] without a weight of its own.
        """
        del task  # there is one alone
        outputs = self.objective(self._fed(batch, self.objective), training=training)
        counts = {} if training else outputs["counts"]
        return {
            **outputs["losses"],
            **outputs["accuracies"],
            **{name: losses.WeightedSum(count, tf.ones([])) for name, count in counts.items()},
        }

    def logits(self, batch, training=False) -> tf.Tensor:
        """[B, C] float32 of a batch of rows or records, with or without labels."""
        return self.classifier(self._fed(batch, self.classifier), training=training)

    def _fed(self, batch, model) -> dict[str, tf.Tensor]:
        """The inputs of a functional model; an image of records is turned into the family's."""
        if "patch_boxes" in batch or "photo" in batch:
            image = [batch[name] for name in IMAGE_FIELDS if name in batch]
            batch = {**batch, **self.backbone.image_inputs(*image)}
        return {name: batch[name] for name in model.input}

    def total(self, losses):
        """The loss itself."""
        return losses["classification_loss"], {}

    def figures(self, sums) -> dict[str, float]:
        """F1 scores of an evaluation from its summed counts."""
        return f1_figures(sums["confusion"][0], absent_classes=self._unseen is None)


def balanced_weights(counts: Sequence[int]) -> list[float]:
    """Of C classes with n_c of the n examples each: n / (C * n_c), 1 on average over the
    examples.
    """
    counts = np.asarray(counts, np.float64)
    return (counts.sum() / (len(counts) * counts)).tolist()


class ConfusionCounts(tf_keras.layers.Layer):
    """Counts of (label, prediction) below `num_classes`, L. Inputs: logits [B, C], labels [B] int.
    Output: [L, L] float32.
    """

    def __init__(self, num_classes, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.num_classes = num_classes

    def call(self, logits, labels):
        predictions = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return tf.math.confusion_matrix(labels, predictions, self.num_classes, dtype=tf.float32)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}
