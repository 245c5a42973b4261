"""What the BERT-like families on patch features share: one encoder over text and patches, and the
functional models made of it.

B = batch, S = text length, P = patches of an image, F = feature size, H = hidden size, K = masked
places. The sequence is the text, then the patches: S + P places.
"""

import functools
import types
from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from kaleido_tf import losses
from kaleido_tf.errors import InputError
from kaleido_tf.layers.comparison_reader import ComparisonReader
from kaleido_tf.layers.embeddings import FeatureNormalisation, TextEmbedding
from kaleido_tf.layers.fused import GELUS
from kaleido_tf.layers.heads import EmbeddingSimilarity, LevelClassifier, MaskedLanguage, Pooler
from kaleido_tf.layers.transformer_block import encoder_blocks
from kaleido_tf.models.config import BertConfig
from kaleido_tf.models.pair_matching import PairMatching

MEASURED_IMAGES = 1000
"""Images whose features are looked at for the normalisation of a new model."""


class CrossModalBert(losses.SummedLosses, PairMatching, tf.Module):
    """A family's model: named layers, and functional models that share them, each built when it is
    first used.

    A family gives its image side: `_image_layers() -> {name: layer}`, `_patch_inputs() -> {name:
    functional input}`, `_patch_features(inputs) -> [B, P, F]` (all, or as many as a comparison
    sees), `_embed_image(inputs) -> [B, P, H]`, and `image_inputs(features [B, P, F],
    boxes [B, P, 5]) -> {name: tensor}`, an image's inputs from its record. And its further tasks:
    `_task_layers() -> {name: head}`, `_task_inputs() -> {name: functional input}`, and
    `_run_task(task, patches [B, P, H], inputs) -> (logits, {"loss", "accuracy"?})`.

    Args:
      tasks: of `TASKS`, those that are trained beside masked language and matching; None: all.
      text_length: default: the config's `text_seq_len`.
      loss_weights: loss name without `_loss` -> its factor in the total; 1 where none is given.
    Raises: InputError as `check_settings`.

    Attributes:
      config, tasks, text_length, num_patches.
      named_layers: name -> layer; a checkpoint knows each variable by this name.
    """

    TASKS: tuple[str, ...] = ()

    def __init__(
        self,
        config: BertConfig,
        tasks: tuple[str, ...] | None,
        text_length: int | None,
        loss_weights: Mapping[str, float] | None,
        num_patches: int,
    ):
        super().__init__(name=config.model_type)
        self.check_settings(config, tasks, loss_weights)
        tasks = self.TASKS if tasks is None else tasks
        self.config = config
        self.tasks = tuple(task for task in self.TASKS if task in tasks)
        self.text_length = text_length or config.text_seq_len
        self.num_patches = num_patches
        self._loss_weights = types.MappingProxyType(dict(loss_weights or {}))
        self.named_layers = self._make_layers()
        self._pretrainer_of = functools.cache(self._make_pretrainer)

    @classmethod
    def check_settings(
        cls,
        config: BertConfig,
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
                f"--kaleido_tasks must be of {', '.join(cls.TASKS)} (a model of type"
                f" {config.model_type}). Received: {', '.join(unknown)}"
            )

    # The functional models. Layers are built in the same order whichever comes first.

    @functools.cached_property
    def embedder(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs` to {"text" [B, S, H], "patches" [B, P, H]}, what the
        encoder's blocks are given.
        """
        inputs = self.encoder_inputs()
        text, image = self._embed(inputs)
        return tf_keras.Model(inputs, {"text": text, "patches": image}, name="embedder")

    @functools.cached_property
    def encoder(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs` to {"sequence_output" [B, S+P, H], "pooled_output"
        [B, H]}.
        """
        inputs = self.encoder_inputs()
        sequence = self._encode(*self._embed(inputs), inputs)
        pooled = self.named_layers["pooler"](sequence)
        outputs = {"sequence_output": sequence, "pooled_output": pooled}
        return tf_keras.Model(inputs, outputs, name="encoder")

    @functools.cached_property
    def causal_encoder(self) -> tf_keras.Model:
        """Functional model of `encoder_inputs` to [B, S+P, H], where a place of the text sees the
        image and the text up to itself, and patches see patches alone (UniLM's
        sequence-to-sequence mask, Dong et al., 2019): what stands later in a text is nowhere read.
        """
        inputs = self.encoder_inputs()
        sequence = self._encode(*self._embed(inputs), inputs, causal=True)
        return tf_keras.Model(inputs, sequence, name="causal_encoder")

    @functools.cached_property
    def text_encoder(self) -> tf_keras.Model:
        """Functional model of the text's `encoder_inputs` to what `encoder` gives where every patch
        is hidden: {"sequence_output" [B, S, H], "pooled_output" [B, H]}.
        """
        inputs = self._text_inputs()
        layer = self.named_layers["text_embedding"]
        text = layer(inputs["input_ids"], inputs["segment_ids"])
        # A place that is left out and one that no other may attend to are the same to the rest.
        sequence = self._encode(text, None, inputs)
        pooled = self.named_layers["pooler"](sequence)
        outputs = {"sequence_output": sequence, "pooled_output": pooled}
        return tf_keras.Model(inputs, outputs, name="text_encoder")

    @functools.cached_property
    def pretrainer(self) -> tf_keras.Model:
        """Functional model of a training batch (see `pretraining_inputs`) to {"logits": {name:
        ...}, "losses": {name: WeightedSum}, "accuracies": {name: WeightedSum}}.
        """
        return self._pretrainer_of(self.text_length)

    def losses(self, batch, task=None, training=False):
        """As `SummedLosses.losses`; the texts may be cut to a shorter length than the model's
        (`data.text_lengths`).
        """
        pretrainer = self._pretrainer_of(batch["input_ids"].shape[1] or self.text_length)
        return self.losses_of(pretrainer, batch, task, training)

    def _make_pretrainer(self, text_length: int) -> tf_keras.Model:
        inputs = self.pretraining_inputs(text_length)
        feed = self._feed_of(inputs)
        embedded = self._embed(feed)
        sequence = self._encode(*embedded, feed)
        text, patches = sequence[:, :text_length], sequence[:, text_length:]
        logits = {"next_sentence": self._match(sequence, *embedded, feed)}
        logits["masked_lm"] = self.named_layers["masked_lm"](text, inputs["masked_lm_positions"])
        results = {
            "masked_lm": losses.MaskedLanguageLoss()(
                logits["masked_lm"], inputs["masked_lm_ids"], inputs["masked_lm_weights"]
            ),
            "next_sentence": losses.ClassificationLoss()(
                logits["next_sentence"], inputs["next_sentence_label"]
            ),
        }
        for task in self.tasks:
            logits[task], results[task] = self._run_task(task, patches, inputs)
        outputs = {
            "logits": logits,
            "losses": {f"{name}_loss": result["loss"] for name, result in results.items()},
            "accuracies": {
                f"{name}_accuracy": result["accuracy"]
                for name, result in results.items()
                if "accuracy" in result
            },
        }
        return tf_keras.Model(inputs, outputs, name="pretrainer")

    @property
    def is_built(self) -> bool:
        """Whether a functional model has been used, so that layers have weights to be filled."""
        models = (
            "embedder",
            "encoder",
            "text_encoder",
            "causal_encoder",
            "matcher",
            "list_scorer",
            "pretrainer",
        )
        return any(name in self.__dict__ for name in models)

    # What the families share.

    def encoder_inputs(self, text_length: int | None = None) -> dict[str, tf.Tensor]:
        """`input_ids`, `input_mask` (1 token, 0 padding), `segment_ids` [B, S] int32, and the
        family's patch inputs. Args: text_length: S; default: the model's.
        """
        return {**self._text_inputs(text_length), **self._patch_inputs()}

    def _text_inputs(self, text_length=None):
        return {
            name: tf_keras.Input([text_length or self.text_length], dtype=tf.int32, name=name)
            for name in ("input_ids", "input_mask", "segment_ids")
        }

    def pretraining_inputs(self, text_length: int | None = None) -> dict[str, tf.Tensor]:
        """`encoder_inputs` and the labels: `masked_lm_positions`, `masked_lm_ids` [B, K] int,
        `masked_lm_weights` [B, K], `next_sentence_label` [B] (1: the text belongs to the image),
        and the tasks' own.
        """
        inputs = self.encoder_inputs(text_length)
        for name, dtype in (("positions", tf.int32), ("ids", tf.int32), ("weights", tf.float32)):
            inputs[f"masked_lm_{name}"] = tf_keras.Input(
                [None], dtype=dtype, name=f"masked_lm_{name}"
            )
        inputs["next_sentence_label"] = tf_keras.Input(
            [], dtype=tf.int32, name="next_sentence_label"
        )
        return {**inputs, **self._task_inputs()}

    def _feed_of(self, inputs) -> dict[str, tf.Tensor]:
        """What the encoder is given in training, where patches are masked inside the model."""
        return {name: inputs[name] for name in self.encoder_inputs()}

    def _make_layers(self) -> dict[str, tf_keras.layers.Layer]:
        """Every layer with weights, by the name a checkpoint gives it."""
        config = self.config
        size, spread, dropout = (
            config.hidden_size,
            config.initializer_range,
            config.hidden_dropout_prob,
        )
        layers = {
            "text_embedding": TextEmbedding(
                config.vocab_size,
                size,
                config.max_position_embeddings,
                config.type_vocab_size,
                dropout,
                spread,
                config.layer_norm_eps,
                name="text_embedding",
            )
        }
        if config.patch_feature_norm != "none":
            layers["feature_normalisation"] = FeatureNormalisation(
                config.patch_feature_norm == "whiten", name="feature_normalisation"
            )
        layers.update(self._image_layers())
        blocks = encoder_blocks(config, config.hidden_gelu)
        layers.update({block.name: block for block in blocks})
        layers["pooler"] = Pooler(size, spread, name="pooler")
        layers["next_sentence"] = LevelClassifier(2, spread, name="next_sentence")
        if config.matching_similarity:
            layers["similarity"] = EmbeddingSimilarity(name="similarity")
        if config.comparison_size:
            layers["comparison"] = self.make_comparison()
        if config.reads_comparison:
            layers["comparison_reader"] = ComparisonReader(size, name="comparison_reader")
        layers["masked_lm"] = MaskedLanguage(
            layers["text_embedding"].word_embeddings,
            activation=GELUS[config.hidden_gelu].plain,
            initializer=tf_keras.initializers.TruncatedNormal(stddev=spread),
            layer_norm_eps=config.layer_norm_eps,
            name="masked_lm",
        )
        return {**layers, **self._task_layers()}

    def _embed(self, inputs):
        """Embeds text and patches: [B, S, H] and [B, P, H]."""
        text = self.named_layers["text_embedding"](inputs["input_ids"], inputs["segment_ids"])
        return text, self._embed_image(inputs)

    def _normalised(self, features):
        """Patch features [B, n, F] as the projection gets them."""
        normalisation = self.named_layers.get("feature_normalisation")
        return normalisation(features) if normalisation else features

    def _encode(self, text, image, inputs, output_range=None, causal=False):
        """Runs the encoder on embeddings: [B, S+P, H], or only the first `output_range` places.
        `image` None: of the text alone.
        """
        hidden = text if image is None else tf.concat([text, image], axis=1)
        if image is None:
            mask = tf.cast(inputs["input_mask"], hidden.dtype)[:, None]
        else:
            mask = self._attention_mask(inputs, hidden.dtype)
        if causal:
            mask *= self._causal_mask(hidden.dtype)
        for number in range(self.config.num_hidden_layers):
            last = number == self.config.num_hidden_layers - 1
            hidden = self.named_layers[f"encoder_layer_{number}"](
                [hidden, mask], output_range=output_range if last else None
            )
        return hidden

    def _attention_mask(self, inputs, dtype):
        """[B, 1, S+P]: padding is hidden; all patches are seen unless the inputs hold a
        `patch_mask` [B, P].
        """
        mask = tf.cast(inputs["input_mask"], dtype)
        if "patch_mask" in inputs:
            mask = tf.concat([mask, tf.cast(inputs["patch_mask"], dtype)], axis=1)
        else:
            mask = tf.pad(mask, [[0, 0], [0, self.num_patches]], constant_values=1)
        return mask[:, None]

    def _causal_mask(self, dtype):
        """[S+P, S+P]: which place (row) may see which other, whatever the example."""
        text, patches = self.text_length, self.num_patches
        earlier = tf.linalg.band_part(tf.ones([text, text], dtype), -1, 0)
        of_text = tf.concat([earlier, tf.ones([text, patches], dtype)], axis=1)
        of_patches = tf.concat(
            [tf.zeros([patches, text], dtype), tf.ones([patches, patches], dtype)], axis=1
        )
        return tf.concat([of_text, of_patches], axis=0)

    def _match(self, sequence, text, image, inputs):
        """[B, 2] logits of (mismatch, match), from the encoder's first place and, if there is one,
        the similarity term.
        """
        logits = self.named_layers["next_sentence"](self.named_layers["pooler"](sequence)[:, None])
        if "similarity" in self.named_layers:
            term = self.named_layers["similarity"](text, inputs["input_mask"], image)
            logits += tf.stack([tf.zeros_like(term), term], axis=1)
        return logits

    def prepare(self, examples) -> None:
        """Measures the features of a new model's training examples for their normalisation, where
        the config asks for it.
        """
        if "feature_normalisation" in self.named_layers:
            features = examples.sample_features(MEASURED_IMAGES)
            self.named_layers["feature_normalisation"].measure(features)
