"""Kaleido-BERT (section 3): layers, and the functional models made of them.

B = batch, S = text length, P = patches of a level, F = feature size, H = hidden size, K = masked places.
The sequence is the text, then the levels in order: S + 1 + 4 + 9 + 16 + 25 places.
"""

import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers as tfm_layers

from kaleido_tf import losses, patches
from kaleido_tf.config import KaleidoBertConfig
from kaleido_tf.layers.encoder import encoder_blocks, gelu
from kaleido_tf.layers.heads import EmbeddingSimilarity, LevelClassifier, PatchReconstruction, Pooler, gather_places
from kaleido_tf.layers.patch_embedding import BlankPatches, BoxProjection, FeatureNormalisation, PatchEmbedding
from kaleido_tf.layers.text_embedding import TextEmbedding

CLASSIFIED_LEVELS = ("rotation", "jigsaw", "camouflage")
RECONSTRUCTED_LEVELS = ("grey_to_color", "blank_to_color")
KALEIDO_TASKS = patches.LEVEL_NAMES
"""The five sub-tasks I to V of section 3.6; masked language and matching are always trained."""


class KaleidoBert(tf.Module):
    """The model: named layers, and functional models that share them.

    Attributes:
      config: KaleidoBertConfig.
      tasks: the kaleido tasks that are trained, a subset of `KALEIDO_TASKS`.
      named_layers: name -> layer; a checkpoint knows each variable by this name.
      embedder: functional model, see `encoder_inputs`, to {"text" [B, S, H], "patches" [B, 55, H]}, what the encoder's
        blocks are given.
      encoder: functional model of the same inputs to {"sequence_output" [B, S+55, H], "pooled_output" [B, H]}.
      pretrainer: functional model of a training batch (see `pretraining_inputs`) to {"logits": {name: ...},
        "losses": {name: WeightedSum}, "accuracies": {name: WeightedSum}}; its losses add up to equation 8.
      matcher: functional model as `encoder`, to [B, 2] float32 logits of (mismatch, match).
    """

    def __init__(self, config: KaleidoBertConfig, tasks: tuple[str, ...] = KALEIDO_TASKS, text_length: int | None = None):
        super().__init__(name="kaleido_bert")
        self.config = config
        self.tasks = tuple(task for task in KALEIDO_TASKS if task in tasks)
        self.text_length = text_length or config.text_seq_len
        self.named_layers = _make_layers(config, self.tasks)
        inputs = encoder_inputs(config, self.text_length)
        text, image = self._embed(inputs)
        self.embedder = tf_keras.Model(inputs, {"text": text, "patches": image}, name="embedder")
        sequence = self._encode(text, image, inputs)
        self.encoder = tf_keras.Model(
            inputs, {"sequence_output": sequence, "pooled_output": self.named_layers["pooler"](sequence)}, name="encoder"
        )
        # Matching reads the first place only, so the last block need not compute the others.
        first = self._encode(text, image, inputs, output_range=1)
        self.matcher = tf_keras.Model(inputs, self._match(first, text, image, inputs), name="matcher")
        self.pretrainer = self._build_pretrainer()

    def _embed(self, inputs):
        """Embeds text and patches: [B, S, H] and [B, 55, H]."""
        layers = self.named_layers
        crop = inputs["rotation_boxes"]
        text = layers["text_embedding"](inputs["input_ids"], inputs["segment_ids"])
        levels = []
        for level in patches.LEVEL_NAMES:
            boxes = layers["box_projection"](inputs[f"{level}_boxes"], crop)
            features = inputs[f"{level}_features"]
            if "feature_normalisation" in layers:
                features = layers["feature_normalisation"](features)
            levels.append(layers[f"{level}_embedding"](features, boxes))
        return text, tf.concat(levels, axis=1)

    def _encode(self, text, image, inputs, output_range=None):
        """Runs the encoder on embeddings: [B, S+55, H], or only the first `output_range` places."""
        hidden = tf.concat([text, image], axis=1)
        mask = _attention_mask(inputs["input_mask"], inputs.get("patch_mask"), hidden.dtype)
        for number in range(self.config.num_hidden_layers):
            last = number == self.config.num_hidden_layers - 1
            hidden = self.named_layers[f"encoder_layer_{number}"]([hidden, mask], output_range=output_range if last else None)
        return hidden

    def _match(self, sequence, text, image, inputs):
        """[B, 2] logits of (mismatch, match), from the encoder's first place and, if there is one, the similarity term."""
        logits = self.named_layers["next_sentence"](self.named_layers["pooler"](sequence)[:, None])
        if "similarity" in self.named_layers:
            term = self.named_layers["similarity"](text, inputs["input_mask"], image)
            logits += tf.stack([tf.zeros_like(term), term], axis=1)
        return logits

    @property
    def normalises_features(self) -> bool:
        """Whether `measure_features` is needed before a new model is trained."""
        return "feature_normalisation" in self.named_layers

    def measure_features(self, features) -> None:
        """Measures training features [..., F] for the normalisation."""
        self.named_layers["feature_normalisation"].measure(features)

    def encoder_with_patch_mask(self) -> tf_keras.Model:
        """As `encoder`, with a further input `patch_mask` [B, 55] (1: may be attended to, 0: as if not there)."""
        inputs = encoder_inputs(self.config, self.text_length)
        inputs["patch_mask"] = tf_keras.Input([patches.NUM_PATCHES], dtype=tf.int32, name="patch_mask")
        sequence = self._encode(*self._embed(inputs), inputs)
        return tf_keras.Model(inputs, {"sequence_output": sequence, "pooled_output": self.named_layers["pooler"](sequence)})

    def _build_pretrainer(self) -> tf_keras.Model:
        config, layers = self.config, self.named_layers
        inputs = pretraining_inputs(config, self.tasks, self.text_length)
        encoder_feed = {name: inputs[name] for name in encoder_inputs(config, self.text_length)}
        if "blank_to_color" in self.tasks:
            encoder_feed["blank_to_color_features"] = BlankPatches(name="blank_patches")(
                inputs["blank_to_color_features"], inputs["blank_to_color_positions"]
            )
        embedded = self._embed(encoder_feed)
        sequence = self._encode(*embedded, encoder_feed)
        text, levels = sequence[:, : self.text_length], _split_levels(sequence, self.text_length)
        logits = {
            "masked_lm": tf.cast(layers["masked_lm"](text, inputs["masked_lm_positions"]), tf.float32),
            "next_sentence": self._match(sequence, *embedded, encoder_feed),
        }
        results = {
            "masked_lm": losses.MaskedLanguageLoss()(
                logits["masked_lm"], inputs["masked_lm_ids"], inputs["masked_lm_weights"]
            ),
            "next_sentence": losses.ClassificationLoss()(logits["next_sentence"], inputs["next_sentence_label"]),
        }
        for level in self.tasks:
            if level in CLASSIFIED_LEVELS:
                logits[level] = layers[level](levels[level])
                results[level] = losses.ClassificationLoss()(logits[level], inputs[f"{level}_label"])
                continue
            logits[level] = layers[level](levels[level], inputs[f"{level}_positions"])
            joint = level == "grey_to_color" and config.grey_target == "joint"
            results[level] = losses.PatchDivergenceLoss(joint, config.reconstruct_scale)(
                logits[level], _reconstruction_target(inputs, level)
            )
        outputs = {
            "logits": logits,
            "losses": {f"{name}_loss": result["loss"] for name, result in results.items()},
            "accuracies": {f"{name}_accuracy": r["accuracy"] for name, r in results.items() if "accuracy" in r},
        }
        return tf_keras.Model(inputs, outputs, name="pretrainer")


def _make_layers(config: KaleidoBertConfig, tasks: tuple[str, ...]) -> dict[str, tf_keras.layers.Layer]:
    """Every layer with weights, by the name a checkpoint gives it."""
    size, spread, dropout = config.hidden_size, config.initializer_range, config.hidden_dropout_prob
    layers = {
        "text_embedding": TextEmbedding(
            config.vocab_size, size, config.max_position_embeddings, config.type_vocab_size, dropout, spread,
            name="text_embedding",
        ),
        "box_projection": BoxProjection(size, config.box_unit, spread, name="box_projection"),
    }
    if config.patch_feature_norm != "none":
        layers["feature_normalisation"] = FeatureNormalisation(
            config.patch_feature_norm == "whiten", name="feature_normalisation"
        )
    for segment_id, level in enumerate(patches.LEVEL_NAMES, start=1):
        layers[f"{level}_embedding"] = PatchEmbedding(
            size, segment_id, config.patch_type_vocab_size, dropout, spread, name=f"{level}_embedding",
        )
    blocks = encoder_blocks(
        config.num_hidden_layers, config.num_attention_heads, config.intermediate_size, dropout,
        config.attention_probs_dropout_prob, spread,
    )
    layers.update({block.name: block for block in blocks})
    layers["pooler"] = Pooler(size, spread, name="pooler")
    layers["next_sentence"] = LevelClassifier(2, spread, name="next_sentence")
    if config.matching_similarity:
        layers["similarity"] = EmbeddingSimilarity(name="similarity")
    layers["masked_lm"] = tfm_layers.MaskedLM(
        layers["text_embedding"].word_embeddings, activation=gelu,
        initializer=tf_keras.initializers.TruncatedNormal(stddev=spread), name="masked_lm",
    )
    labels = {
        "rotation": config.img_rotation_label_num,
        "jigsaw": config.img_jigsaw_label_num,
        "camouflage": config.img_camouflage_label_num,
    }
    for level in tasks:
        if level in CLASSIFIED_LEVELS:
            layers[level] = LevelClassifier(labels[level], spread, name=level)
        else:
            layers[level] = PatchReconstruction(config.patch_feature_size, spread, name=level)
    return layers


def _attention_mask(text_mask, patch_mask, dtype):
    """[B, 1, S+55]: padding is hidden, all patches are seen (the original reads `image_mask` and ignores it)."""
    text_mask = tf.cast(text_mask, dtype)
    if patch_mask is None:
        patch_mask = tf.ones([tf.shape(text_mask)[0], patches.NUM_PATCHES], dtype)
    return tf.concat([text_mask, tf.cast(patch_mask, dtype)], axis=1)[:, None]


def _split_levels(sequence, text_length) -> dict[str, tf.Tensor]:
    """The encoder's output of each level: name -> [B, P, H]."""
    parts = tf.split(sequence, [text_length, *patches.LEVEL_PATCHES.values()], axis=1)
    return dict(zip(patches.LEVEL_NAMES, parts[1:]))


def _reconstruction_target(inputs, level):
    """[B, K, F]: the patches in colour. Grey ones are replaced in the data, so their colour comes beside them."""
    if level == "grey_to_color":
        return inputs["grey_to_color_targets"]
    return gather_places(inputs[f"{level}_features"], inputs[f"{level}_positions"])


def encoder_inputs(config: KaleidoBertConfig, text_length: int) -> dict[str, tf.Tensor]:
    """`input_ids`, `input_mask` (1 token, 0 padding), `segment_ids` [B, S]; of each level `..._features` [B, P, F]
    float and `..._boxes` [B, P, 5] int (pixels of the crop)."""
    inputs = {
        name: tf_keras.Input([text_length], dtype=tf.int32, name=name)
        for name in ("input_ids", "input_mask", "segment_ids")
    }
    for level, count in patches.LEVEL_PATCHES.items():
        inputs[f"{level}_features"] = tf_keras.Input([count, config.patch_feature_size], name=f"{level}_features")
        inputs[f"{level}_boxes"] = tf_keras.Input([count, 5], dtype=tf.int32, name=f"{level}_boxes")
    return inputs


def pretraining_inputs(config: KaleidoBertConfig, tasks: tuple[str, ...], text_length: int) -> dict[str, tf.Tensor]:
    """`encoder_inputs` and the labels: `masked_lm_positions`, `masked_lm_ids` [B, K] int, `masked_lm_weights` [B, K],
    `next_sentence_label` [B] (1: the text belongs to the image); of classified levels `..._label` [B]; of
    reconstructed levels `..._positions` [B, K], and `grey_to_color_targets` [B, K, F] (their features in colour)."""
    inputs = encoder_inputs(config, text_length)
    for name, dtype in (("positions", tf.int32), ("ids", tf.int32), ("weights", tf.float32)):
        inputs[f"masked_lm_{name}"] = tf_keras.Input([None], dtype=dtype, name=f"masked_lm_{name}")
    labels = ["next_sentence", *(level for level in tasks if level in CLASSIFIED_LEVELS)]
    for name in labels:
        inputs[f"{name}_label"] = tf_keras.Input([], dtype=tf.int32, name=f"{name}_label")
    masked = {"grey_to_color": config.masked_greymask_patch_num, "blank_to_color": config.masked_blankmask_patch_num}
    for level in tasks:
        if level in RECONSTRUCTED_LEVELS:
            shape = [masked[level]]
            inputs[f"{level}_positions"] = tf_keras.Input(shape, dtype=tf.int32, name=f"{level}_positions")
    if "grey_to_color" in tasks:
        shape = [config.masked_greymask_patch_num, config.patch_feature_size]
        inputs["grey_to_color_targets"] = tf_keras.Input(shape, name="grey_to_color_targets")
    return inputs
