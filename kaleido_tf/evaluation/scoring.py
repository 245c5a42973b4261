"""Scores pairs of texts and images, such as candidate lists, with the matching head (section 4.2).

Each image's features are read once, however many pairs it stands in. N = pairs, I = images, F =
feature size.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import input_errors_as_themselves
from kaleido_tf.evaluation.candidates import Pairs
from kaleido_tf.evaluation.image_bank import PatchBank, PhotoBank, open_bank
from kaleido_tf.progress import Progress

BLOCK = 16
"""Texts, or images, that are held against the bank at once."""


def candidate_batches(model, table: RecordTable, pairs: Pairs, batch_size: int) -> tf.data.Dataset:
    """Batches of the matcher's inputs for every pair, in order."""
    bank = open_bank(table, pairs.images)
    hubness = pair_hubness(model, table, pairs, bank)
    read, wanted = bank.reader(), set(model.matcher.input)
    sequences, lengths = tf.constant(table.sequences), tf.constant(table.lengths)

    def inputs(text, image, extra):
        texts = text_inputs(tf.gather(sequences, text), tf.gather(lengths, text))
        feed = {**texts, **model.image_inputs(*read(image)), **extra}
        return {name: value for name, value in feed.items() if name in wanted}

    dataset = tf.data.Dataset.from_tensor_slices(
        (table.texts[pairs.texts], bank.rows[pairs.images], hubness)
    ).batch(batch_size)
    return dataset.map(inputs, tf.data.AUTOTUNE, deterministic=True)


def pair_hubness(model, table: RecordTable, pairs: Pairs, bank: PatchBank | PhotoBank) -> dict:
    """{"comparison_hubness": [N]} of a model that compares below its encoder, else {}; each text
    and image is looked at once.

    Args: bank: of the pairs' images.
    """
    if not getattr(model, "compares", False):
        return {}
    features, boxes = bank.features, bank.boxes
    texts = np.zeros(len(table.sequences), np.float32)
    used = np.unique(table.texts[pairs.texts])
    images = np.zeros(len(features), np.float32)

    @tf.function(reduce_retracing=True)
    def of_texts(sequences, lengths):
        feed = text_inputs(sequences, lengths)
        return model.text_hubness(feed["input_ids"], feed["input_mask"])

    @tf.function(reduce_retracing=True)
    def of_images(features, boxes):
        return model.image_hubness(model.image_inputs(tf.cast(features, tf.float32), boxes))

    with Progress("comparing with training products", len(used) + len(images), "sides") as done:
        for part in _blocks(used):
            texts[part] = of_texts(*map(tf.constant, (table.sequences[part], table.lengths[part])))
            done.done(len(part))
        for part in _blocks(np.arange(len(images))):
            images[part] = of_images(tf.constant(features[part]), tf.constant(boxes[part]))
            done.done(len(part))
    return {"comparison_hubness": texts[table.texts[pairs.texts]] + images[bank.rows[pairs.images]]}


def _blocks(numbers: np.ndarray) -> list[np.ndarray]:
    return [numbers[start : start + BLOCK] for start in range(0, len(numbers), BLOCK)]


def score_batches(
    matcher: Callable,
    strategy: tf.distribute.Strategy,
    dataset: tf.data.Dataset,
    count: int,
    things: str = "pairs",
) -> np.ndarray:
    """[N, 2] float32 logits of (mismatch, match) of all pairs, in order; or [N, C] of images, where
    a model of C classes is given.

    Args: matcher: (batch, training) -> logits, of a model made in the scope of `strategy`. dataset:
      global batches of its inputs. count: N, and `things`: of what, for the lines that say how far
      it is.
    """

    @tf.function
    def score(batch):
        return strategy.run(lambda part: matcher(part, training=False), args=(batch,))

    results = []
    with input_errors_as_themselves(), Progress("scoring", count, things) as progress:
        for batch in strategy.experimental_distribute_dataset(dataset.prefetch(2)):
            parts = strategy.experimental_local_results(score(batch))
            results += [part.numpy() for part in parts]
            progress.done(sum(map(len, parts)))
    return np.concatenate(results)
