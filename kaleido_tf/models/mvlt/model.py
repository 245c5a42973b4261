"""MVLT (Ji et al., MIR 2023): a pyramid of four stages over pixels, each of which sees the words.

B = batch, T = words of a text, H x W = pixels of the photo, K = masked words, D = hidden size.
Stage k has a map of h_k x w_k patches, each 4, 8, 16 and 32 pixels wide, of C_k channels.
"""

import functools
import types
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf import losses
from kaleido_tf.data.photos import cut_centre, in_unit_range
from kaleido_tf.errors import InputError
from kaleido_tf.layers.heads import UsedPlaces
from kaleido_tf.models.mvlt.blocks import PyramidBlock, patches_and_words
from kaleido_tf.models.mvlt.config import PATCH_STRIDES, MvltConfig, check_side
from kaleido_tf.models.mvlt.heads import FirstWordClassifier
from kaleido_tf.models.mvlt.layers import STAGES, make_layers


class Mvlt(losses.SummedLosses, tf.Module):
    """MVLT: named layers, and functional models that share them, each built when it is first used.

    Image input: `images` [B, H, W, 3] float in [0, 1], of which regions may be masked. Text input:
    `input_ids` [B, T] int; padding is seen as any other word. Task inputs (`image`, masked image
    reconstruction): `image_targets` [B, H, W, 3], the images without a mask.

    Args:
      tasks: of `TASKS`, those that are trained beside masked language and matching; None: all.
      text_length: the config's `text_seq_len`, as every place has a learned position.
      loss_weights: loss name without `_loss` -> its factor in the total, beside the config's.
      image_size: H, W; None: the config's `image_side` both ways.
    Raises: InputError as `check_settings`, and for another text length or a size that the strides
      do not divide.

    Attributes:
      config, tasks, text_length, image_size.
      named_layers: name -> layer; a checkpoint knows each variable by this name.
    """

    TASKS: tuple[str, ...] = ("image",)

    def __init__(
        self,
        config: MvltConfig,
        tasks: tuple[str, ...] | None = None,
        text_length: int | None = None,
        loss_weights: Mapping[str, float] | None = None,
        image_size: tuple[int, int] | None = None,
    ):
        super().__init__(name=config.model_type)
        self.check_settings(config, tasks, loss_weights)
        if text_length not in (None, config.text_seq_len):
            raise InputError(
                "--input_sequence_length must be the config's `text_seq_len`="
                f"{config.text_seq_len}, for which the model has positions. Received: {text_length}"
            )
        self.config = config
        self.tasks = self.TASKS if tasks is None else tuple(tasks)
        self.text_length = config.text_seq_len
        self.image_size = tuple(image_size or (config.image_side, config.image_side))
        for side in self.image_size:
            check_side("image_size", side)
        weights = {"image": config.image_loss_weight, **(loss_weights or {})}
        self._loss_weights = types.MappingProxyType(weights)
        self.named_layers = make_layers(config)

    @classmethod
    def check_settings(
        cls,
        config: MvltConfig,
        tasks: tuple[str, ...] | None,
        loss_weights: Mapping[str, float] | None,
    ) -> None:
        """Refuses what a model of this family cannot be, before anything is built.

        Raises: InputError for a task that the family does not have.
        """
        del loss_weights  # any loss may have a factor
        unknown = [task for task in tasks or () if task not in cls.TASKS]
        if unknown:
            raise InputError(
                f"The tasks must be of {', '.join(cls.TASKS)} (a model of type"
                f" {config.model_type}). Received: {', '.join(unknown)}"
            )

    # The functional models. Layers are built in the same order whichever comes first.

    @functools.cached_property
    def encoder(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs` to {"image_maps": four [B, h_k, w_k, C_k],
        "text_states": four [B, T, C_k]}, what each stage leaves, and "pooled_output" [B, C_4], the
        first word after the last stage, which every head that judges a pair reads.
        """
        inputs = self.encoder_inputs()
        maps, texts = self._encode(inputs)
        outputs = {"image_maps": maps, "text_states": texts, "pooled_output": texts[-1][:, 0]}
        return tf_keras.Model(inputs, outputs, name="encoder")

    @property
    def text_encoder(self):
        """There is none. Raises: InputError."""
        raise InputError(
            f"A model of type {self.config.model_type} reads a photo with every text. Use"
            " --modalities=both or image. Received: text"
        )

    @functools.cached_property
    def matcher(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs` to [B, 2] float32 log probabilities of (mismatch,
        match), by which the release ranks.
        """
        inputs = self.encoder_inputs()
        _, texts = self._encode(inputs)
        outputs = tf.nn.log_softmax(self.named_layers["next_sentence"](texts[-1][:, 0]))
        return tf_keras.Model(inputs, outputs, name="matcher")

    @functools.cached_property
    def classifier(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs` to float32 logits {"category" [B, num_categories],
        "subcategory" [B, num_subcategories]}.
        """
        inputs = self.encoder_inputs()
        _, texts = self._encode(inputs)
        heads = ("category", "subcategory")
        outputs = {name: self.named_layers[name](texts[-1][:, 0]) for name in heads}
        return tf_keras.Model(inputs, outputs, name="classifier")

    @functools.cached_property
    def pretrainer(self) -> tf_keras.Model:
        """Functional model of a training batch (see `pretraining_inputs`) to {"logits": {name:
        ...}, "losses": {name: WeightedSum}, "accuracies": {name: WeightedSum}}. The logits of
        `masked_lm` are of the N masked words of the batch, [1, N, vocabulary], those of `image` the
        reconstruction, [B, H, W, 3].
        """
        inputs = self.pretraining_inputs()
        maps, texts = self._encode(inputs)
        # Of the slots for masked words most are empty.
        slots = [inputs[f"masked_lm_{part}"] for part in ("positions", "ids", "weights")]
        words, positions, ids, weights = UsedPlaces(name="used_places")(texts[-1], *slots)
        words = self.named_layers["masked_lm"](
            self.named_layers["masked_lm_adapter"](words), positions
        )
        logits = {
            "masked_lm": words,
            "next_sentence": self.named_layers["next_sentence"](texts[-1][:, 0]),
        }
        results = {
            "masked_lm": losses.MaskedLanguageLoss()(logits["masked_lm"], ids, weights),
            "next_sentence": losses.ClassificationLoss()(
                logits["next_sentence"], inputs["next_sentence_label"]
            ),
        }
        if "image" in self.tasks:
            logits["image"] = self.named_layers["image"](*maps[1:])
            results["image"] = losses.ImageReconstructionLoss()(
                logits["image"], inputs["image_targets"]
            )
        outputs = {
            "logits": logits,
            "losses": {f"{name}_loss": result["loss"] for name, result in results.items()},
            "accuracies": {
                f"{name}_{part}": value
                for name, result in results.items()
                for part, value in result.items()
                if part != "loss"
            },
        }
        return tf_keras.Model(inputs, outputs, name="pretrainer")

    def losses(self, batch, task=None, training=False) -> dict[str, losses.WeightedSum]:
        """As the base class. Out of training words and matching are judged on whole photos
        (`image_targets`), and the reconstruction alone on what `images` shows of them.
        """
        results = super().losses(batch, task, training)
        if training or "image" not in self.tasks:
            return results
        whole = super().losses({**batch, "images": batch["image_targets"]}, task)
        return {**whole, **{name: results[name] for name in results if name.startswith("image_")}}

    def figures(self, sums) -> dict[str, float]:
        """`image_psnr` in dB: the peak signal-to-noise ratio of reconstructed photos in [0, 1]. The
        release takes 255 for their peak, which adds 48.13.
        """
        if "image_squared_error" not in sums:
            return {}
        total, weight = sums["image_squared_error"]
        return {"image_psnr": float(10 * np.log10(weight / total))}

    def prepare(self, examples) -> None:
        """Nothing is measured."""

    def encoder_inputs(self) -> dict[str, tf.Tensor]:
        """`images` [B, H, W, 3] float and `input_ids` [B, T] int32."""
        return {
            "images": tf_keras.Input([*self.image_size, 3], name="images"),
            "input_ids": tf_keras.Input([self.text_length], dtype=tf.int32, name="input_ids"),
        }

    def pretraining_inputs(self) -> dict[str, tf.Tensor]:
        """`encoder_inputs` and the labels: `masked_lm_positions`, `masked_lm_ids` [B, K] int,
        `masked_lm_weights` [B, K], `next_sentence_label` [B] (1: the text belongs to the image),
        and the tasks' own.
        """
        inputs = self.encoder_inputs()
        for name, dtype in (("positions", tf.int32), ("ids", tf.int32), ("weights", tf.float32)):
            inputs[f"masked_lm_{name}"] = tf_keras.Input(
                [None], dtype=dtype, name=f"masked_lm_{name}"
            )
        inputs["next_sentence_label"] = tf_keras.Input(
            [], dtype=tf.int32, name="next_sentence_label"
        )
        if "image" in self.tasks:
            inputs["image_targets"] = tf_keras.Input([*self.image_size, 3], name="image_targets")
        return inputs

    def recognition_head(self, num_classes: int, name: str) -> FirstWordClassifier:
        """What tells classes apart by the first word, with an adapter of its own, as in the
        release.
        """
        config = self.config
        return FirstWordClassifier(
            num_classes, config.hidden_size, config.initializer_range, name=name
        )

    def image_inputs(self, photos) -> dict[str, tf.Tensor]:
        """The image inputs of photos [B, s, s, 3] uint8; of larger ones the middle."""
        return {"images": in_unit_range(cut_centre(photos, self.image_size[0]))}

    @property
    def is_built(self) -> bool:
        """Whether a functional model has been used, so that layers have weights to be filled."""
        models = ("encoder", "matcher", "classifier", "pretrainer")
        return any(name in self.__dict__ for name in models)

    def blocks_of(self, stage: int) -> list[PyramidBlock]:
        """The blocks of a stage (1 to 4), in order."""
        depth = self.config.depths[stage - 1]
        return [self.named_layers[f"stage_{stage}_block_{number}"] for number in range(depth)]

    def _encode(self, inputs):
        """The image maps and the texts that the four stages leave."""
        image = inputs["images"]
        text = self.named_layers["text_embedding"](inputs["input_ids"])
        maps, texts = [], []
        for stage, stride in zip(STAGES, PATCH_STRIDES):
            grid = tuple(side // stride for side in image.shape[1:3])
            hidden = self.named_layers[f"stage_{stage}_embedding"](image, text)
            for block in self.blocks_of(stage):
                hidden = block(hidden, grid=grid)
            patches, text = patches_and_words(hidden, grid)
            image = tf.reshape(patches, [-1, *grid, hidden.shape[-1]])
            maps.append(image)
            texts.append(text)
        return maps, texts
