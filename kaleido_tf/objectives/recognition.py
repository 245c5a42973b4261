"""Recognition (Kaleido-BERT, section 4.2, "CR"): a dense head on the pooled output of a family's
encoder.

B = batch, C = classes.
"""

from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from kaleido_tf import losses
from kaleido_tf.evaluation.classification import f1_figures
from kaleido_tf.families import build_model
from kaleido_tf.models.config import ModelConfig

NUM_CLASSES = {"catepred": 48, "subcatepred": 122}
"""The original's tasks and their classes: categories and sub-categories of Fashion-Gen."""

HEAD_DROPOUT = 0.1
HEAD_SPREAD = 0.01


class Classifier(tf.Module):
    """An encoder that is fine-tuned together with a new head (`training.trainer.Trainable`).

    Attributes:
      task, num_classes, config, text_length.
      backbone: the family's model, of which the encoder alone is built.
      named_layers: those of the backbone and the head, `<task>_dense`.
      objective: functional model of the encoder's inputs and `label` [B] int to {"logits": {task:
        [B, C]}, "losses", "accuracies", "counts": {"confusion": [C, C], row the label, column the
        prediction}}.
    """

    total_is_linear = True
    step_tasks: Mapping[str, float] = {}
    loss_names = ("classification_loss",)

    def __init__(self, config: ModelConfig, task: str, num_classes: int, text_length: int):
        super().__init__(name=task)
        self.config, self.task, self.num_classes, self.text_length = (
            config,
            task,
            num_classes,
            text_length,
        )
        self.backbone = build_model(config, (), text_length)
        self.head = tf_keras.layers.Dense(
            num_classes,
            kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=HEAD_SPREAD),
            dtype="float32",
            name=f"{task}_dense",
        )
        self.head_dropout = tf_keras.layers.Dropout(HEAD_DROPOUT, name=f"{task}_dropout")
        self.named_layers = {
            **self.backbone.named_layers,
            self.head.name: self.head,
            self.head_dropout.name: self.head_dropout,
        }
        inputs = {
            **self.backbone.encoder_inputs(),
            "label": tf_keras.Input([], dtype=tf.int32, name="label"),
        }
        encoder = self.backbone.encoder
        pooled = encoder({name: inputs[name] for name in encoder.input})["pooled_output"]
        logits = self.head(self.head_dropout(pooled))
        result = losses.ClassificationLoss()(logits, inputs["label"])
        outputs = {
            "logits": {task: logits},
            "losses": {"classification_loss": result["loss"]},
            "accuracies": {"accuracy": result["accuracy"]},
            "counts": {"confusion": ConfusionCounts(num_classes)(logits, inputs["label"])},
        }
        self.objective = tf_keras.Model(inputs, outputs, name="classifier")

    @property
    def trainable_variables(self):
        """What the objective reaches: heads of pre-training get no gradient, and so no decay."""
        return self.objective.trainable_variables

    def losses(self, batch, task=None, training=False) -> dict[str, losses.WeightedSum]:
        """Loss and accuracy of a batch; in evaluation also the counts of (label, prediction), as a
        total [C, C] without a weight of its own.
        """
        del task  # there is one alone
        outputs = self.objective(batch, training=training)
        counts = {} if training else outputs["counts"]
        return {
            **outputs["losses"],
            **outputs["accuracies"],
            **{name: losses.WeightedSum(count, tf.ones([])) for name, count in counts.items()},
        }

    def total(self, losses):
        """The loss itself."""
        return losses["classification_loss"], {}

    def figures(self, sums) -> dict[str, float]:
        """F1 scores of an evaluation from its summed counts."""
        return f1_figures(sums["confusion"][0])


class ConfusionCounts(tf_keras.layers.Layer):
    """Counts of (label, prediction). Inputs: logits [B, C], labels [B] int. Output: [C, C]
    float32.
    """

    def __init__(self, num_classes, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.num_classes = num_classes

    def call(self, logits, labels):
        predictions = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return tf.math.confusion_matrix(labels, predictions, self.num_classes, dtype=tf.float32)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}
