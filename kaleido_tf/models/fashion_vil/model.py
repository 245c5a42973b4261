"""FashionViL (Han et al., ECCV 2022) as a run trains it: one of six tasks a step."""

import functools
import types
from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from kaleido_tf.errors import InputError
from kaleido_tf.losses import WeightedSum, WeightedTotal
from kaleido_tf.models.fashion_vil.config import FashionVilConfig
from kaleido_tf.models.fashion_vil.contrast import check_others
from kaleido_tf.models.fashion_vil.encoders import FashionVilEncoders
from kaleido_tf.models.fashion_vil.layers import TransformedClassifier
from kaleido_tf.models.fashion_vil.patch_tokenizer import PatchTokenizer
from kaleido_tf.models.fashion_vil.tasks import (
    FURTHER,
    SHARES,
    WITHIN_A_BATCH,
    text_guided_retrieval,
)
from kaleido_tf.models.fashion_vil.tasks import TASKS as BY_NAME
from kaleido_tf.models.fashion_vil.tokenizer_names import tokenizer_names


class FashionVil(WeightedTotal, FashionVilEncoders):
    """FashionViL with its tasks (a `training.trainer.Trainable`).

    Args:
      tasks: of `TASKS` and `FURTHER_TASKS`, those that steps are given to, as often as the release
        does; None: `TASKS`.
      text_length: default: the config's `text_seq_len`.
      loss_weights: task -> its factor in the total; 1 where none is given.
    Raises: InputError for a task that the family does not have, and for a text longer than the
      model has positions.

    Attributes:
      tasks: those that are trained. step_tasks: each with its share of the steps.
    """

    TASKS = tuple(task for task in BY_NAME if task not in FURTHER)
    FURTHER_TASKS = FURTHER
    """Of the paper's ablation, trained only where they are asked for."""
    TASK_LAYERS = types.MappingProxyType(
        {
            "itm": "next_sentence",
            "pac": "attributes",
            "itc": "contrastive_norm",
            "icc": "contrastive_norm",
            "mlm": "masked_lm",
            "mpfc": "patch_codes",
            "mpfr": "patch_features",
        }
    )
    CONTRAST_TASK = "itc"
    """The loss of fine-tuning to retrieve: that of pre-training."""
    needs_whole_batch = "the contrast between the pairs of a batch"

    def __init__(
        self,
        config: FashionVilConfig,
        tasks: tuple[str, ...] | None = None,
        text_length: int | None = None,
        loss_weights: Mapping[str, float] | None = None,
    ):
        self._check_known(tasks or ())
        super().__init__(config, text_length)
        asked = self.TASKS if tasks is None else tasks
        self.tasks = tuple(task for task in BY_NAME if task in asked)
        if "mpfc" in self.tasks:
            self.named_layers["image_tokenizer"] = _frozen_tokenizer(config)
        self._loss_weights = types.MappingProxyType(dict(loss_weights or {}))

    @classmethod
    def check_settings(
        cls,
        config: FashionVilConfig,
        tasks: tuple[str, ...] | None,
        loss_weights: Mapping[str, float] | None,
    ) -> None:
        """Refuses what a model of this family cannot be trained on, before anything is built.

        Raises: InputError for a task that the family does not have, and for none at all.
        """
        del config, loss_weights  # any loss may have a factor
        cls._check_known(tasks or ())
        if tasks is not None and not tasks:
            raise InputError(
                f"A FashionViL is trained on one task at least, of {', '.join(BY_NAME)}."
                " Received: none"
            )

    @classmethod
    def _check_known(cls, tasks) -> None:
        unknown = [task for task in tasks if task not in BY_NAME]
        if unknown:
            raise InputError(
                f"The tasks must be of {', '.join(BY_NAME)} (a FashionViL). Received:"
                f" {', '.join(unknown)}"
            )

    @functools.cached_property
    def pretrainer(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs` to what every head that the tasks need makes of the
        pair, {name: logits}; it makes their weights.
        """
        inputs, layers = self.encoder_inputs(), self.named_layers
        encoded = self.encoder(inputs)
        states = encoded["sequence_output"]
        means = self.image_means(encoded["image_tokens"])
        outputs = {"encoder": states, "contrastive_norm": layers["contrastive_norm"](means)}
        if "itm" in self.tasks:
            outputs["next_sentence"] = self.matches(states)
        if "mlm" in self.tasks:
            first = tf.zeros_like(inputs["input_ids"][:, :1])
            outputs["masked_lm"] = layers["masked_lm"](states[:, : self.text_length], first)
        if "mpfc" in self.tasks:
            outputs["patch_codes"] = layers["patch_codes"](states[:, -1])
            outputs["image_tokenizer"] = layers["image_tokenizer"](inputs["images"])
        if "mpfr" in self.tasks:
            kernel = layers["image_embedding"].projection.kernel
            outputs["patch_features"] = layers["patch_features"](states[:, -1], kernel)
        if "pac" in self.tasks:
            outputs["attributes"] = layers["attributes"](means)
        return tf_keras.Model(inputs, outputs, name="pretrainer")

    @property
    def is_built(self) -> bool:
        """Whether a functional model has been used, so that layers have weights to be filled."""
        return any(name in self.__dict__ for name in ("encoder", "matcher", "pretrainer"))

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """Of the layers that the tasks reach; makes them where they are not there yet."""
        _ = self.pretrainer
        layers = self.named_layers.values()
        # Two layers hold the word embeddings.
        return tuple({id(v): v for layer in layers for v in layer.trainable_variables}.values())

    @property
    def fast_variables(self) -> tuple[tf.Variable, ...]:
        """Of the image encoder, the projection of its tokens and the heads, which in the release
        move at 20 times the rate of BERT.
        """
        layers = self.named_layers
        heads = ("next_sentence", "masked_lm", "patch_codes", "patch_features", "attributes")
        fast = [layers["image_encoder"], layers["image_embedding"].projection]
        fast += [layers[name] for name in heads]
        words = layers["text_embedding"].word_embeddings  # by which masked words are decoded
        return tuple(v for part in fast for v in part.trainable_variables if v is not words)

    @property
    def step_tasks(self) -> dict[str, float]:
        """Task -> share of the steps, in the release's proportions."""
        return {task: SHARES[task] for task in self.tasks}

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Of the losses of all tasks."""
        return tuple(f"{task}_loss" for task in self.tasks)

    def losses(self, batch, task=None, training=False) -> dict[str, WeightedSum]:
        """Loss and accuracy of one task by name."""
        if task is None:
            raise ValueError(f"A step of a model of type {self.config.model_type} has one task")
        if training and task in WITHIN_A_BATCH:
            check_others(batch["input_ids"].shape[0], task, of_replica=task == "itm")
        results = BY_NAME[task](self, batch, training)
        return {f"{task}_{name}": value for name, value in results.items()}

    def composition_losses(
        self, batch, training=False, wrong_references=False
    ) -> dict[str, WeightedSum]:
        """{"loss", "accuracy"} of text-guided retrieval, which is learnt from no task of
        pre-training. Args: as `tasks.text_guided_retrieval`.
        """
        if training:
            check_others(batch["input_ids"].shape[0], "text-guided retrieval")
        return text_guided_retrieval(self, batch, training, wrong_references)

    def recognition_head(self, num_classes: int, name: str) -> TransformedClassifier:
        """What tells classes apart by the pooled output of text and image, as in the release."""
        config = self.config
        return TransformedClassifier(
            num_classes, config.initializer_range, config.layer_norm_eps, name=name
        )

    def restart_contrast(self) -> None:
        """Sets what `CONTRAST_TASK` learns beside the encoders back to its first value, as the
        release does where fine-tuning begins.
        """
        self.named_layers["contrastive_norm"].restart()

    def prepare(self, examples) -> None:
        """Gives a new model the patch tokenizer that the examples know of, if it needs one."""
        if "image_tokenizer" in self.named_layers:
            _ = self.pretrainer  # makes the weights that are to be filled
            ours, theirs = self.named_layers["image_tokenizer"], examples.load_tokenizer()
            names = tokenizer_names(theirs)
            for name, entry in tokenizer_names(ours).items():
                entry.variable.assign(names[name].variable)


def _frozen_tokenizer(config):
    tokenizer = PatchTokenizer(**config.patch_tokenizer.layer_sizes, name="image_tokenizer")
    tokenizer.trainable = False
    return tokenizer
