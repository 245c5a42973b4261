"""Trains the comparison of words with patches (layers/comparison.py) of a new model, before the
encoder is trained.

Both of its scores learn to tell the own image of each text from the others of a batch, and the own
text of each image. Afterwards the comparison stays as it is: it takes no part in training's
matching loss, since its scores of the very products that it was fitted to are far better than those
of new ones, and a head that is trained on them learns to trust nothing else (docs/departures.md).
"""

import math

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.layers.comparison import TextImageComparison
from kaleido_tf.layers.comparison_member import ComparisonMember
from kaleido_tf.losses import contrastive_loss
from kaleido_tf.objectives.compared_products import ComparedProducts, compared_products

BATCH = 192
PEAK_RATE = 3e-3
WEIGHT_DECAY = 0.02
HIDDEN_WORDS = 0.2
"""Share of the words, and below of the feature values, that a step does not see."""
HIDDEN_FEATURES = 0.3
FIRST_SCALE = 10.0
LEAST_TEXTS = 2
"""A word must stand in this many texts of training to be compared."""
LEAST_WEIGHT = 0.05
SPREAD_PRODUCTS = 500
"""Products whose pairs are looked at for the spread of scores that do not match."""


def train_comparison(
    model, table: RecordTable, strategy: tf.distribute.Strategy, epochs: int, seed: int
) -> None:
    """Fills the weights of `model.named_layers["comparison"]`; the same seed gives the same ones.

    Raises: InputError for records with fewer than two different texts.
    """
    check_texts(table)
    fit_comparison(
        model.named_layers["comparison"], compared_products(model, table), strategy, epochs, seed
    )


def fit_comparison(
    comparison: TextImageComparison,
    products: ComparedProducts,
    strategy: tf.distribute.Strategy,
    epochs: int,
    seed: int,
) -> None:
    """Fills all weights of a comparison from these products; the same seed gives the same ones."""
    for number, member in enumerate(comparison.members):
        weights = word_weights(products, member.word_weights.shape[0])
        member.word_weights.assign(weights)
        member.rarity.assign(weights)
        _Training(member, products, strategy, epochs, seed, number).run()
        _measure_spreads(member, products)
    _fill_bank(comparison, products)
    if comparison.tells_fits:
        comparison.measure_fits()


def check_texts(table: RecordTable) -> None:
    """Raises: InputError for records with fewer than two different texts."""
    if len(np.unique(table.texts)) < 2:
        raise InputError(
            "A model with `comparison_size` needs products with at least 2 different texts."
            " Received: 1"
        )


def word_weights(products: ComparedProducts, vocab_size: int) -> np.ndarray:
    """[V] float32: a third of the log of how rare a word piece is among the different texts, at
    least `LEAST_WEIGHT`; 0 for one that stands in fewer than `LEAST_TEXTS`, and for the marks at
    both ends.
    """
    counts = np.zeros(vocab_size, int)
    _, used = np.unique(products.texts, return_index=True)
    for row in used:
        counts[np.unique(products.sequences[row, 1 : products.lengths[row] - 1])] += 1
    rarity = np.log(len(used) / np.maximum(counts, 1)) / 3
    return np.where(counts >= LEAST_TEXTS, np.maximum(rarity, LEAST_WEIGHT), 0).astype(np.float32)


class _Training:
    """Every replica is given the same batches and makes the same updates."""

    def __init__(
        self,
        member: ComparisonMember,
        products: ComparedProducts,
        strategy: tf.distribute.Strategy,
        epochs: int,
        seed: int,
        number: int,
    ):
        self._whole, self._products, self._strategy = member, products, strategy
        self._used = np.flatnonzero(member.word_weights.numpy())
        self._places = np.full(member.word_weights.shape[0], len(self._used), np.int32)
        self._places[self._used] = np.arange(len(self._used))
        self._epochs, self._seed, self._number = epochs, seed, number
        self._batch = min(BATCH, len(products))
        steps = epochs * (len(products) // self._batch)
        falling = tf_keras.optimizers.schedules.PolynomialDecay(PEAK_RATE, steps, 0.0)
        with strategy.scope():
            self._member = member.of_words(self._used)
            self._log_scales = tf.Variable([math.log(FIRST_SCALE)] * 2)
            self._variables = [*self._member.trainable_variables, self._log_scales]
            self._optimizer = tf_keras.optimizers.AdamW(falling, weight_decay=WEIGHT_DECAY)
            self._optimizer.build(self._variables)
        self._step = tf.function(self._on_every_replica)

    def run(self) -> None:
        """All epochs, then gives the member its weights; says now and then how the loss falls."""
        number = 0
        for epoch in range(self._epochs):
            generator = np.random.default_rng([self._seed, epoch, 3, self._number])
            order, losses = generator.permutation(len(self._products)), []
            for start in range(0, len(order) - self._batch + 1, self._batch):
                rows = order[start : start + self._batch]
                texts = self._products.texts[rows]
                losses.append(
                    self._step(
                        *self._text(rows),
                        self._products.features(rows),
                        tf.constant(texts[:, None] == texts[None]),
                        tf.constant(number, tf.int64),
                    )
                )
                number += 1
            if (epoch + 1) % 10 == 0 or epoch + 1 == self._epochs:
                print(
                    f"comparison of words and patches, member {self._number + 1}: epoch"
                    f" {epoch + 1}/{self._epochs}, loss {np.mean(losses):.3f} (chance"
                    f" {math.log(self._batch):.3f})",
                    flush=True,
                )
        self._whole.take(self._member, self._used)

    def _text(self, rows):
        """Ids, by their place among the used words, and mask [B, S]."""
        ids, mask = self._products.text(rows)
        return tf.gather(self._places, ids), mask

    def _on_every_replica(self, *batch):
        losses = self._strategy.run(self._update, args=batch)
        return self._strategy.experimental_local_results(losses)[0]

    def _update(self, ids, mask, features, same_text, number):
        seed = tf.stack([tf.constant(self._seed, tf.int64), number])
        of_words, of_features = (
            tf.random.experimental.stateless_fold_in(seed, 2 * self._number + purpose)
            for purpose in (0, 1)
        )
        seen = tf.random.stateless_uniform(tf.shape(mask), of_words) >= HIDDEN_WORDS
        features = tf.nn.experimental.stateless_dropout(features, HIDDEN_FEATURES, of_features)
        with tf.GradientTape() as tape:
            sides = (
                self._member.text_side(ids, mask * tf.cast(seen, tf.int32)),
                self._member.image_side(features),
            )
            scales = tf.unstack(tf.exp(self._log_scales))
            scores = self._member.scores(*sides)
            # Each by itself: they are to err differently.
            loss = tf.add_n(
                [contrastive_loss(s * part, same_text) for s, part in zip(scales, scores)]
            )
        gradients = tape.gradient(loss, self._variables)
        self._optimizer.apply_gradients(
            zip([tf.convert_to_tensor(gradient) for gradient in gradients], self._variables),
            skip_gradients_aggregation=True,
        )
        return loss / len(scores)


def _measure_spreads(member: ComparisonMember, products: ComparedProducts) -> None:
    """The standard deviation of each score over pairs that do not match."""
    rows = products.evenly(SPREAD_PRODUCTS)
    scores = member.scores(
        member.text_side(*products.text(rows)), member.image_side(products.features(rows))
    )
    texts = products.texts[rows]
    foreign = texts[:, None] != texts[None]
    if not foreign.any():  # the sample happens to be of one text
        foreign = np.ones_like(foreign)
    member.spreads.assign([max(float(part.numpy()[foreign].std()), 1e-6) for part in scores])


def _fill_bank(comparison: TextImageComparison, products: ComparedProducts) -> None:
    """The products of training that tell which texts and images are near to everything."""
    rows = products.evenly(comparison.bank_ids.shape[0])
    features = products.features(rows)
    length = comparison.bank_ids.shape[1]
    _fill(comparison.bank_ids, products.sequences[rows][:, :length])
    for member in comparison.members:
        image = member.image_side(features)
        _fill(member.bank_patches, image.patches)
        _fill(member.bank_images, image.whole)
    comparison.bank_size.assign(len(rows))


def _fill(variable: tf.Variable, content) -> None:
    """Assigns `content` to the first places, 0 to the others."""
    content = np.asarray(content)
    places = [(0, most - size) for most, size in zip(variable.shape, content.shape)]
    variable.assign(np.pad(content, places))
