"""Recognition (Kaleido-BERT, section 4.2, "CR"): a dense head on the pooled output of a family's
encoder.

B = batch, C = classes.
"""

import tensorflow as tf
import tf_keras

from kaleido_tf import losses
from kaleido_tf.evaluation.classification import f1_figures
from kaleido_tf.families import build_model
from kaleido_tf.models.config import ModelConfig

TASKS = {"catepred": 48, "subcatepred": 122}
"""The original's tasks and their classes: categories and sub-categories of Fashion-Gen."""

HEAD_DROPOUT = 0.1
HEAD_SPREAD = 0.01


class Classifier(tf.Module):
    """An encoder that is fine-tuned together with a new head.

    Attributes:
      task, num_classes, config, text_length.
      backbone: the family's model, without its further heads.
      named_layers: those of the backbone and the head, `<task>_dense`.
      objective: functional model of the encoder's inputs and `label` [B] int to {"logits": {task:
        [B, C]}, "losses", "accuracies", "counts": {"confusion": [C, C], row the label, column what
        was said}}.
    """

    TOTAL_FIGURES = ()
    TOTAL_IS_LINEAR = True

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
        pooled = self.backbone.encoder(
            {name: inputs[name] for name in self.backbone.encoder.input}
        )["pooled_output"]
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
        """What the objective reaches: heads of pre-training get no gradient, and so no decay
        either.
        """
        return self.objective.trainable_variables

    def total_loss(self, means, matching_weight=1.0):
        del matching_weight  # there is no matching in here
        return means["classification_loss"], {}

    def figures(self, counts: dict) -> dict[str, float]:
        """F1 scores of an evaluation from its summed counts."""
        return f1_figures(counts["confusion"])


class ConfusionCounts(tf_keras.layers.Layer):
    """Counts of (label, prediction). Inputs: logits [B, C], labels [B] int. Output: [C, C]
    float32.
    """

    def __init__(self, num_classes, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.num_classes = num_classes

    def call(self, logits, labels):
        said = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return tf.math.confusion_matrix(labels, said, self.num_classes, dtype=tf.float32)

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}
