"""What the BERT-like families share: one encoder over text and patches, and the functional models
made of it.

B = batch, S = text length, P = patches of an image, F = feature size, H = hidden size, K = masked
places. The sequence is the text, then the patches: S + P places.
"""

import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers as tfm_layers

from kaleido_tf import losses
from kaleido_tf.errors import InputError
from kaleido_tf.layers.embeddings import LAYER_NORM_EPSILON, FeatureNormalisation, TextEmbedding
from kaleido_tf.layers.heads import EmbeddingSimilarity, LevelClassifier, Pooler
from kaleido_tf.models.config import ModelConfig


class CrossModalBert(tf.Module):
    """A family's model: named layers, and functional models that share them.

    A family adds its image side (`_image_layers`, `_embed_image`, `image_inputs`) and its further
    tasks (`_task_layers`, `_task_inputs`, `_feed_of`, `_run_task`, `total_loss`).

    Args: tasks: of `TASKS`, those that are trained beside masked language and matching.
      text_length: default: the config's `text_seq_len`.
    Raises: InputError for a task that the family does not have.

    Attributes:
      config, tasks, text_length, num_patches.
      named_layers: name -> layer; a checkpoint knows each variable by this name.
      embedder: functional model, see `encoder_inputs`, to {"text" [B, S, H], "patches" [B, P, H]},
        what the encoder's blocks are given.
      encoder: functional model of the same inputs to {"sequence_output" [B, S+P, H],
        "pooled_output" [B, H]}.
      pretrainer: functional model of a training batch (see `pretraining_inputs`) to {"logits":
        {name: ...}, "losses": {name: WeightedSum}, "accuracies": {name: WeightedSum}}.
      matcher: functional model as `encoder`, to [B, 2] float32 logits of (mismatch, match).
    """

    TASKS: tuple[str, ...] = ()
    TOTAL_FIGURES: tuple[str, ...] = ()
    """Names of what `total_loss` reports beside the total."""
    TOTAL_IS_LINEAR = True
    """Whether the total is a sum of the losses with constant factors."""

    def __init__(
        self,
        config: ModelConfig,
        tasks: tuple[str, ...] | None,
        text_length: int | None,
        num_patches: int,
    ):
        super().__init__(name=config.model_type)
        tasks = self.TASKS if tasks is None else tasks
        unknown = [task for task in tasks if task not in self.TASKS]
        if unknown:
            raise InputError(
                f"Tasks of {config.model_type} are {', '.join(self.TASKS)}. Received:"
                f" {', '.join(unknown)}"
            )
        self.config = config
        self.tasks = tuple(task for task in self.TASKS if task in tasks)
        self.text_length = text_length or config.text_seq_len
        self.num_patches = num_patches
        self.named_layers = self._make_layers()
        inputs = self.encoder_inputs()
        text, image = self._embed(inputs)
        self.embedder = tf_keras.Model(inputs, {"text": text, "patches": image}, name="embedder")
        sequence = self._encode(text, image, inputs)
        self.encoder = tf_keras.Model(
            inputs,
            {"sequence_output": sequence, "pooled_output": self.named_layers["pooler"](sequence)},
            name="encoder",
        )
        # Matching reads the first place only, so the last block need not compute the others.
        first = self._encode(text, image, inputs, output_range=1)
        self.matcher = tf_keras.Model(
            inputs, self._match(first, text, image, inputs), name="matcher"
        )
        self.pretrainer = self._build_pretrainer()

    @property
    def objective(self) -> tf_keras.Model:
        """What is trained."""
        return self.pretrainer

    # What a family gives.

    def _image_layers(self) -> dict[str, tf_keras.layers.Layer]:
        """Layers of the image side by name."""
        raise TypeError(f"{type(self).__name__} has no image side")

    def _embed_image(self, inputs) -> tf.Tensor:
        """Embeds the patches: [B, P, H]."""
        raise TypeError(f"{type(self).__name__} has no image side")

    def _patch_inputs(self) -> dict[str, tf.Tensor]:
        """Functional inputs of the image side."""
        raise TypeError(f"{type(self).__name__} has no image side")

    def image_inputs(self, features, boxes) -> dict:
        """An image's inputs from its record: features [B, P, F], boxes [B, P, 5] int; arrays or
        tensors.
        """
        raise TypeError(f"{type(self).__name__} has no image side")

    def _task_layers(self) -> dict[str, tf_keras.layers.Layer]:
        """Heads of `self.tasks` by name."""
        return {}

    def _task_inputs(self) -> dict[str, tf.Tensor]:
        """Functional inputs that the tasks need beside the encoder's."""
        return {}

    def _feed_of(self, inputs) -> dict[str, tf.Tensor]:
        """What the encoder is given in training, where patches are masked inside the model."""
        return {name: inputs[name] for name in self.encoder_inputs()}

    def _run_task(self, task: str, patches, inputs) -> tuple[tf.Tensor, dict]:
        """Logits of a task and its {"loss", "accuracy"?}; `patches` [B, P, H]: the encoder's output
        there.
        """
        raise TypeError(f"{type(self).__name__} has no task {task}")

    def total_loss(self, means: dict, matching_weight: float = 1.0) -> tuple[tf.Tensor, dict]:
        """What is minimised, from the means of the losses by name, and further figures
        (`TOTAL_FIGURES`).
        """
        factors = {"next_sentence_loss": matching_weight}
        return sum(factors.get(name, 1.0) * value for name, value in means.items()), {}

    # What they share.

    def encoder_inputs(self) -> dict[str, tf.Tensor]:
        """`input_ids`, `input_mask` (1 token, 0 padding), `segment_ids` [B, S] int32, and the
        family's patch inputs.
        """
        inputs = {
            name: tf_keras.Input([self.text_length], dtype=tf.int32, name=name)
            for name in ("input_ids", "input_mask", "segment_ids")
        }
        return {**inputs, **self._patch_inputs()}

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
        return {**inputs, **self._task_inputs()}

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
                name="text_embedding",
            )
        }
        if config.patch_feature_norm != "none":
            layers["feature_normalisation"] = FeatureNormalisation(
                config.patch_feature_norm == "whiten", name="feature_normalisation"
            )
        layers.update(self._image_layers())
        blocks = encoder_blocks(
            config.num_hidden_layers,
            config.num_attention_heads,
            config.intermediate_size,
            dropout,
            config.attention_probs_dropout_prob,
            spread,
        )
        layers.update({block.name: block for block in blocks})
        layers["pooler"] = Pooler(size, spread, name="pooler")
        layers["next_sentence"] = LevelClassifier(2, spread, name="next_sentence")
        if config.matching_similarity:
            layers["similarity"] = EmbeddingSimilarity(name="similarity")
        layers["masked_lm"] = tfm_layers.MaskedLM(
            layers["text_embedding"].word_embeddings,
            activation=gelu,
            initializer=tf_keras.initializers.TruncatedNormal(stddev=spread),
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

    def _encode(self, text, image, inputs, output_range=None):
        """Runs the encoder on embeddings: [B, S+P, H], or only the first `output_range` places."""
        hidden = tf.concat([text, image], axis=1)
        mask = self._attention_mask(inputs, hidden.dtype)
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
        text_mask = tf.cast(inputs["input_mask"], dtype)
        if "patch_mask" in inputs:
            patch_mask = tf.cast(inputs["patch_mask"], dtype)
        else:
            patch_mask = tf.ones([tf.shape(text_mask)[0], self.num_patches], dtype)
        return tf.concat([text_mask, patch_mask], axis=1)[:, None]

    def _match(self, sequence, text, image, inputs):
        """[B, 2] logits of (mismatch, match), from the encoder's first place and, if there is one,
        the similarity term.
        """
        logits = self.named_layers["next_sentence"](self.named_layers["pooler"](sequence)[:, None])
        if "similarity" in self.named_layers:
            term = self.named_layers["similarity"](text, inputs["input_mask"], image)
            logits += tf.stack([tf.zeros_like(term), term], axis=1)
        return logits

    def _build_pretrainer(self) -> tf_keras.Model:
        inputs = self.pretraining_inputs()
        feed = self._feed_of(inputs)
        embedded = self._embed(feed)
        sequence = self._encode(*embedded, feed)
        text, patches = sequence[:, : self.text_length], sequence[:, self.text_length :]
        logits = {
            "masked_lm": tf.cast(
                self.named_layers["masked_lm"](text, inputs["masked_lm_positions"]), tf.float32
            ),
            "next_sentence": self._match(sequence, *embedded, feed),
        }
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
                f"{name}_accuracy": r["accuracy"] for name, r in results.items() if "accuracy" in r
            },
        }
        return tf_keras.Model(inputs, outputs, name="pretrainer")

    @property
    def normalises_features(self) -> bool:
        """Whether `measure_features` is needed before a new model is trained."""
        return "feature_normalisation" in self.named_layers

    def measure_features(self, features) -> None:
        """Measures training features [..., F] for the normalisation."""
        self.named_layers["feature_normalisation"].measure(features)

    def encoder_with_patch_mask(self) -> tf_keras.Model:
        """As `encoder`, with a further input `patch_mask` [B, P] (1: may be attended to, 0: as if
        not there).
        """
        inputs = self.encoder_inputs()
        inputs["patch_mask"] = tf_keras.Input([self.num_patches], dtype=tf.int32, name="patch_mask")
        sequence = self._encode(*self._embed(inputs), inputs)
        return tf_keras.Model(
            inputs,
            {"sequence_output": sequence, "pooled_output": self.named_layers["pooler"](sequence)},
        )


def gelu(x):
    """GELU in its tanh approximation, as BERT has it."""
    return tf_keras.activations.gelu(x, approximate=True)


def encoder_blocks(
    num_layers, num_heads, intermediate_size, dropout, attention_dropout, initializer_range
):
    """`num_layers` post-norm blocks, to be applied one after the other on (hidden [B, T, H], mask
    [B, 1, T]).

    The mask is 1 for a place that may be attended to, 0 for one that may not; it holds for every
    query.
    """
    return [
        tfm_layers.TransformerEncoderBlock(
            num_attention_heads=num_heads,
            inner_dim=intermediate_size,
            inner_activation=gelu,
            output_dropout=dropout,
            attention_dropout=attention_dropout,
            norm_epsilon=LAYER_NORM_EPSILON,
            kernel_initializer=tf_keras.initializers.TruncatedNormal(stddev=initializer_range),
            name=f"encoder_layer_{number}",
        )
        for number in range(num_layers)
    ]
