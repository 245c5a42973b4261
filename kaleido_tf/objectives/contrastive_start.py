"""A start for models that have no trained BERT to start from (the originals had): three steps
before the first update.

A matching head on a new encoder sees, for hundreds to thousands of steps, nothing to tell a match
from a mismatch by: words and patches begin as unrelated vectors, and attention hands [CLS] a faint,
  scrambled mean of them.

1. `align_embeddings`: the embedding layers alone (no encoder block) learn to bring the mean of a
   text's embeddings close to the mean of its image's, and far from the others of the batch. The
   idea of aligning before fusing is that of Li et al., "Align before Fuse" (2021), section 3.2,
   here without momentum or a lasting loss term. Without the encoder a pass over the records costs
   little.
2. `open_attention`: attention begins nearly uniform and passes on what it reads unchanged and
   amplified, so that from the first step [CLS] holds text and image in one basis, where the
   feed-forward layers can compare them. (Starting value and output projections close to the
   identity is from Trockman and Kolter, "Mimetic initialization", 2023.)
3. `set_token_bias`: the masked-language head begins with the frequencies of the tokens, which it
   would otherwise spend its first, largest updates on learning, through the word embeddings that
   step 1 has just placed.
"""

import math
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.data.record_table import RecordTable, read_evenly
from kaleido_tf.errors import InputError
from kaleido_tf.layers.heads import unit_means
from kaleido_tf.losses import contrastive_loss
from kaleido_tf.training.optimizer import BertAdam, WarmupLinearDecay

BATCH = 32
PEAK_RATE = 1e-2
HIDDEN_TOKENS = 0.3
"""Share of the tokens, and below of the feature values, that a step does not see; what is left has
to be enough.
"""
HIDDEN_FEATURES = 0.1
FIRST_SCALE = 10.0
LARGEST_SCALE = 100.0
EASY_SHARE = 1 / 3
"""Share of the epochs whose batches are drawn from all products; later ones hold neighbours in the
order of sub-categories.
"""
MEMORY_BYTES = 2 << 30
"""Features of more records than fit in here are not used: a sample of the catalogue aligns
embeddings as well.
"""

ATTENTION_SHARPNESS = 0.1
"""Factor on the query projections' first weights: attention that is nearly uniform, and free to
move away from it.
"""
VALUE_GAIN = 3.0
"""How much attention amplifies what it reads. The mean of many places is shorter than each of them.
"""


def start_from_scratch(
    model, table: RecordTable, strategy: tf.distribute.Strategy, epochs: int, seed: int
) -> None:
    """The three steps above on a new model; a similarity term of its matching head begins with what
    the first one found.
    """
    with strategy.scope():
        _ = model.trainable_variables  # so that every layer has weights to begin with
    scale, border = align_embeddings(model, table, strategy, epochs, seed)
    if "similarity" in model.named_layers:
        model.named_layers["similarity"].log_scale.assign(math.log(scale))
        model.named_layers["similarity"].bias.assign(-scale * border)
        # The head on [CLS] adds to that term what it learns, and until then no noise.
        for weight in model.named_layers["next_sentence"].weights:
            weight.assign(tf.zeros_like(weight))
    open_attention(model)
    set_token_bias(model, table)


def open_attention(model) -> None:
    """Sets the attention of every encoder block of `model.named_layers` to a nearly uniform mean,
    handed on in its own basis.
    """
    for name, block in model.named_layers.items():
        if not name.startswith("encoder_layer_"):
            continue
        query, value, output = (
            _kernel(block, part) for part in ("query", "value", "attention_output")
        )
        identity = np.eye(query.shape[0], dtype=np.float32)
        query.assign(query * ATTENTION_SHARPNESS)
        value.assign(identity.reshape(value.shape))
        output.assign(VALUE_GAIN * identity.reshape(output.shape))


def _kernel(block, part: str) -> tf.Variable:
    return next(
        weight
        for weight in block.weights
        if weight.name.endswith(f"self_attention/{part}/kernel:0")
    )


def set_token_bias(model, table: RecordTable) -> None:
    """Sets the bias of the masked-language head to the log of each token's share of the records'
    texts.
    """
    bias = model.named_layers["masked_lm"].bias
    used = np.arange(table.sequences.shape[1]) < table.lengths[:, None]
    counts = np.bincount(table.sequences[table.texts][used[table.texts]], minlength=bias.shape[0])
    # A token that never came gets a tenth of one that came once: unlikely, not impossible.
    shares = np.maximum(counts, 0.1) / np.maximum(counts, 0.1).sum()
    bias.assign(np.log(shares))


def align_embeddings(
    model, table: RecordTable, strategy: tf.distribute.Strategy, epochs: int, seed: int
) -> tuple[float, float]:
    """Trains `model.embedder` for `epochs` passes over the records; the same seed gives the same
    weights.

    Args: model: built in the scope of `strategy`; its embedder maps the encoder's inputs to {"text"
      [B, S, H], "patches" [B, P, H]}.
    Returns: the scale (inverse temperature) that was learnt, and the cosine half way between the
      mean of pairs that match and of those in the same batch that do not, over the last epoch.
    """
    if len(np.unique(table.texts)) < 2:
        raise InputError(
            "--contrastive_epochs needs products with at least 2 different texts. Received: 1"
        )
    each = table.layout.num_patches * table.feature_size * 2
    numbers, features, boxes = read_evenly(table, max(MEMORY_BYTES // each, 2))
    texts = table.texts[numbers]
    batch = min(BATCH, len(numbers))
    steps = epochs * (len(numbers) // batch)
    with strategy.scope():
        aligner = _Aligner(model.embedder, steps)
        variables = [*model.embedder.trainable_variables, aligner.log_scale]
        aligner.optimizer.build(variables)

    @tf.function
    def step(feed, same_text, number):
        def replica(feed, same_text, number):
            return aligner.update(
                feed, same_text, tf.stack([tf.constant(seed, tf.int64), number]), variables
            )

        # Every replica is given the same batch and makes the same update.
        figures = strategy.run(replica, args=(feed, same_text, number))
        return tf.nest.map_structure(
            lambda value: strategy.experimental_local_results(value)[0], figures
        )

    number = 0
    for epoch in range(epochs):
        figures = []
        for rows in _batches(table.subcategories[numbers], batch, epoch, epochs, seed):
            feed = embedder_inputs(model, table, texts[rows], features[rows], boxes[rows])
            same_text = texts[rows][:, None] == texts[rows][None]
            figures.append(step(feed, tf.constant(same_text), tf.constant(number, tf.int64)))
            number += 1
        loss, border = np.mean([[value.numpy() for value in row] for row in figures], axis=0)
        if (epoch + 1) % 5 == 0 or epoch + 1 == epochs:
            print(
                f"contrastive start: epoch {epoch + 1}/{epochs}, loss {loss:.3f} (chance"
                f" {math.log(batch):.3f})",
                flush=True,
            )
    return float(aligner.scale()), float(border)


class _Aligner(tf.Module):
    """The loss and one update."""

    def __init__(self, embedder: tf_keras.Model, steps: int):
        super().__init__()
        self.embedder = embedder
        self.log_scale = tf.Variable(math.log(FIRST_SCALE), dtype=tf.float32, name="log_scale")
        self.optimizer = BertAdam(WarmupLinearDecay(PEAK_RATE, steps, steps // 20), beta_2=0.999)

    def scale(self):
        return tf.exp(tf.minimum(self.log_scale, math.log(LARGEST_SCALE)))

    def update(self, feed, same_text, seed, variables):
        """One step; returns the loss, and the cosine half way between matching pairs and others."""
        with tf.GradientTape() as tape:
            text, image = self.encode(feed, seed)
            logits = self.scale() * tf.matmul(text, image, transpose_b=True)
            loss = contrastive_loss(logits, same_text)
        gradients = tape.gradient(
            loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        self.optimizer.apply_gradients(zip(gradients, variables), skip_gradients_aggregation=True)
        cosines = tf.matmul(text, image, transpose_b=True)
        own = tf.reduce_mean(tf.linalg.diag_part(cosines))
        foreign = tf.cast(~same_text, tf.float32)
        other = tf.math.divide_no_nan(tf.reduce_sum(cosines * foreign), tf.reduce_sum(foreign))
        return loss, (own + other) / 2

    def encode(self, feed, seed):
        """([B, H], [B, H]) float32 of length 1: means over the tokens that are seen, and over the
        patches.
        """
        feed = dict(feed)
        parts = [name for name in feed if name.endswith("_features")]
        for number, name in enumerate(parts):
            source = tf.random.experimental.stateless_fold_in(seed, number)
            feed[name] = tf.nn.experimental.stateless_dropout(feed[name], HIDDEN_FEATURES, source)
        embedded = self.embedder(feed, training=False)
        source = tf.random.experimental.stateless_fold_in(seed, len(parts))
        seen = tf.random.stateless_uniform(tf.shape(feed["input_mask"]), source) >= HIDDEN_TOKENS
        weights = tf.cast(feed["input_mask"], tf.float32) * tf.cast(seen, tf.float32)
        return unit_means(embedded["text"], weights, embedded["patches"])


def _batches(
    groups: np.ndarray, batch: int, epoch: int, epochs: int, seed: int
) -> Iterator[np.ndarray]:
    """Rows of each batch of an epoch; hard ones (one sub-category, or neighbouring ones) after the
    first epochs.
    """
    generator = np.random.default_rng([seed, epoch, 2])
    order = generator.permutation(len(groups))
    if epoch >= epochs * EASY_SHARE:
        order = order[np.argsort(groups[order], kind="stable")]
        order = np.roll(order, generator.integers(batch))
    count = len(order) // batch
    for number in generator.permutation(count):
        yield order[number * batch : (number + 1) * batch]


def embedder_inputs(model, table, texts, features, boxes) -> dict[str, tf.Tensor]:
    """The embedder's inputs of texts [B] (rows of the table's sequences) and images, features [B,
    P, F], boxes [B, P, 5].
    """
    feed = text_inputs(tf.constant(table.sequences[texts]), tf.constant(table.lengths[texts]))
    return {**feed, **model.image_inputs(tf.constant(features, tf.float32), tf.constant(boxes))}
