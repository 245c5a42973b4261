"""FashionViL's tasks of pre-training (sections 3.3 and 3.4 of the paper), by the release's names
for them. A step is given to one of them.

B = batch, S = text length, V = image tokens, D = hidden size, K = masked words, A = attributes.

A task is a function of (model, batch, training) that gives {"loss", "accuracy"?: WeightedSum}.
"""

import types
from collections.abc import Callable, Mapping

import tensorflow as tf

from kaleido_tf.layers.heads import UsedPlaces
from kaleido_tf.losses import SMALLEST_COUNT, WeightedSum, classification_loss, masked_lm_loss
from kaleido_tf.models.fashion_vil.contrast import (
    contrast,
    hardest_texts,
    one_way_contrast,
    soft_label_loss,
)
from kaleido_tf.models.fashion_vil.encoders import FashionVilEncoders

REPLACED_ABOVE = 0.5
"""A pair whose draw is above this is given the hardest wrong text."""


def image_text_contrast(
    model: FashionVilEncoders, batch: dict, training: bool
) -> dict[str, WeightedSum]:
    """itc: images and texts alone find each other among the pairs of all replicas."""
    images, texts = image_and_text(model, _tokens(model, batch, training), batch, training)
    return contrast(images, texts, batch["input_ids"])


def image_text_matching(
    model: FashionVilEncoders, batch: dict, training: bool
) -> dict[str, WeightedSum]:
    """itm: whether text and image belong together; where `mismatch_draws` [B] are above a half, the
    text is the wrong one of this replica's batch that seems to fit best.
    """
    tokens = _tokens(model, batch, training)
    feed, labels = with_hard_texts(model, batch, tokens)
    logits = model.matches(model.joint_states(feed, tokens, training=training))
    loss = classification_loss(logits, labels)
    return {"loss": loss, "accuracy": _hits(logits, labels)}


def masked_language(
    model: FashionVilEncoders, batch: dict, training: bool
) -> dict[str, WeightedSum]:
    """mlm: the masked words of a text beside its whole image (`masked_input_ids` [B, S],
    `masked_lm_positions`, `masked_lm_ids`, `masked_lm_weights` [B, K]).
    """
    tokens = _tokens(model, batch, training)
    feed = {**batch, "input_ids": batch["masked_input_ids"]}
    states = model.joint_states(feed, tokens, training=training)[:, : model.text_length]
    slots = [batch[f"masked_lm_{part}"] for part in ("positions", "ids", "weights")]
    states, positions, ids, weights = UsedPlaces()(states, *slots)
    logits = model.named_layers["masked_lm"](states, positions)
    loss = masked_lm_loss(logits, ids, weights)
    hits = tf.cast(tf.argmax(logits, axis=-1, output_type=ids.dtype) == ids, tf.float32)
    return {"loss": loss, "accuracy": WeightedSum(tf.reduce_sum(hits * weights), loss.weight)}


def masked_patch_codes(
    model: FashionVilEncoders, batch: dict, training: bool
) -> dict[str, WeightedSum]:
    """mpfc: which code the patch tokenizer gives to each masked token (`masked_tokens` [B, V]
    bool). Masked are the tokens of the ResNet, so that their neighbours have seen the pixels, as in
    the release.
    """
    masked, _, states = _states_of_masked(model, batch, training)
    logits = model.named_layers["patch_codes"](states)
    codes = model.named_layers["image_tokenizer"](batch["images"])
    labels = tf.boolean_mask(codes, masked)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    count = tf.maximum(tf.cast(tf.size(labels), tf.float32), SMALLEST_COUNT)
    accuracy = _hits(logits, labels)
    return {
        "loss": WeightedSum(tf.reduce_sum(losses), count),
        "accuracy": WeightedSum(accuracy.total, count),
    }


def masked_patch_features(
    model: FashionVilEncoders, batch: dict, training: bool
) -> dict[str, WeightedSum]:
    """mpfr, of the paper's ablation alone: what the ResNet makes of each masked token
    (`masked_tokens` [B, V] bool), from which no gradient comes; the mean squared difference.
    """
    masked, tokens, states = _states_of_masked(model, batch, training)
    kernel = model.named_layers["image_embedding"].projection.kernel
    found = model.named_layers["patch_features"](states, kernel)
    targets = tf.cast(tf.boolean_mask(tf.stop_gradient(tokens), masked), tf.float32)
    losses = tf.reduce_mean(tf.math.squared_difference(found, targets), axis=1)
    count = tf.maximum(tf.cast(tf.size(losses), tf.float32), SMALLEST_COUNT)
    return {"loss": WeightedSum(tf.reduce_sum(losses), count)}


def pseudo_attributes(
    model: FashionVilEncoders, batch: dict, training: bool
) -> dict[str, WeightedSum]:
    """pac: the attributes of an item (`attributes` [B, A]: 1 / k for each of its k) from its image
    alone and from its text alone; the sum of the two losses. Items without any are left out.
    """
    images = model.image_means(_tokens(model, batch, training), training)
    texts = model.text_means(batch, training)
    of_image, of_text = (
        soft_label_loss(model.named_layers["attributes"](vectors), batch["attributes"])
        for vectors in (images, texts)
    )
    return {"loss": WeightedSum(of_image.total + of_text.total, of_image.weight)}


def multi_view_contrast(
    model: FashionVilEncoders, batch: dict, training: bool
) -> dict[str, WeightedSum]:
    """icc, which the paper calls multi-view contrastive learning: an image finds another image of
    its item (`other_images`) with the text, some places of which are hidden (`hidden_places` [B, S
    + V] int), and the other way round.
    """
    norm = model.named_layers["contrastive_norm"]
    first = norm(model.image_means(_tokens(model, batch, training), training))
    other = model.named_layers["image_encoder"](batch["other_images"], training=training)
    composed = model.composed_means(batch, other, batch["hidden_places"], training)
    return contrast(first, norm(composed), batch["input_ids"])


TASKS: Mapping[str, Callable] = types.MappingProxyType(
    {
        "itm": image_text_matching,
        "pac": pseudo_attributes,
        "itc": image_text_contrast,
        "icc": multi_view_contrast,
        "mlm": masked_language,
        "mpfc": masked_patch_codes,
        "mpfr": masked_patch_features,
    }
)
"""By the release's names, in the order in which it draws among them."""

WITHIN_A_BATCH = ("itc", "icc", "itm")
"""Those whose wrong answers are of the same batch."""

FURTHER = ("mpfr",)
"""Those that are no part of its last config."""

SHARES: Mapping[str, float] = types.MappingProxyType(
    {"itm": 0.15, "pac": 0.15, "itc": 0.2, "icc": 0.2, "mlm": 0.15, "mpfc": 0.15, "mpfr": 0.15}
)
"""How often a step is given to each, in the release's last config; `mpfr` as `mpfc`."""


def text_guided_retrieval(
    model: FashionVilEncoders, batch: dict, training: bool, wrong_references: bool
) -> dict[str, WeightedSum]:
    """What the release fine-tunes on FashionIQ: photos, read with a text of what is to change, find
    the photos that are looked for among those of all replicas. No task of pre-training.

    Args: batch: `images`, `target_images` [B, H, W, 3], the text, and `target_number` [B] int,
      equal where targets are one photo: another one of its own is neither right nor wrong.
      wrong_references: whether the photos that are asked with are wrong answers, too, by their
      `reference_number` [B] int (the release holds queries against targets alone).
    """
    norm = model.named_layers["contrastive_norm"]
    tokens = _tokens(model, batch, training)
    queries = norm(model.composed_means(batch, tokens, training=training))
    wrong = None
    if wrong_references:
        wrong = norm(model.image_means(tokens, training)), batch["reference_number"][:, None]
    tokens = model.named_layers["image_encoder"](batch["target_images"], training=training)
    targets = norm(model.image_means(tokens, training))
    return one_way_contrast(queries, targets, batch["target_number"][:, None], wrong)


def image_and_text(model, tokens, batch, training) -> tuple[tf.Tensor, tf.Tensor]:
    """The vectors [B, D] that are compared: of images, from their tokens, and of texts."""
    norm = model.named_layers["contrastive_norm"]
    return norm(model.image_means(tokens, training)), norm(model.text_means(batch, training))


def with_hard_texts(model, batch, tokens) -> tuple[dict, tf.Tensor]:
    """The batch with some texts replaced by the hardest wrong ones, and labels [B] int32: 1 where
    the text is the image's own. What is hard is judged without dropout, and no gradient comes of
    it.
    """
    images, texts = image_and_text(model, tf.stop_gradient(tokens), batch, training=False)
    hardest, exists = hardest_texts(images, texts, batch["input_ids"])
    replaced = (batch["mismatch_draws"] > REPLACED_ABOVE) & exists
    rows = tf.where(replaced, hardest, tf.range(tf.size(hardest)))
    feed = {name: tf.gather(batch[name], rows) for name in ("input_ids", "input_mask")}
    return {**batch, **feed}, tf.cast(~replaced, tf.int32)


def _states_of_masked(model, batch, training):
    """`masked_tokens`, the ResNet's tokens [B, V, C], and the states [N, D] of those N that are
    masked, beside the whole text.
    """
    masked, tokens = batch["masked_tokens"], _tokens(model, batch, training)
    seen = tokens * tf.cast(~masked, tokens.dtype)[..., None]
    states = model.joint_states(batch, seen, training=training)[:, model.text_length :]
    return masked, tokens, tf.boolean_mask(states, masked)


def _tokens(model, batch, training):
    return model.named_layers["image_encoder"](batch["images"], training=training)


def _hits(logits, labels):
    found = tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels
    return WeightedSum(
        tf.reduce_sum(tf.cast(found, tf.float32)), tf.cast(tf.size(labels), tf.float32)
    )
