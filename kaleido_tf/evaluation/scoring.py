"""Scores pairs of texts and images, such as candidate lists, with the matching head (section 4.2).

Each image's features are read once, however many pairs it stands in. N = pairs, I = images, F =
feature size.
"""

import numpy as np
import tensorflow as tf
import tf_keras

from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.data.record_table import RecordTable, read_images
from kaleido_tf.errors import input_errors_as_themselves
from kaleido_tf.evaluation.candidates import Pairs
from kaleido_tf.progress import Progress


def candidate_batches(model, table: RecordTable, pairs: Pairs, batch_size: int) -> tf.data.Dataset:
    """Batches of the matcher's inputs for every pair, in order."""
    rows, features, boxes = read_images(table, pairs.images)
    features, boxes = tf.constant(features), tf.constant(boxes)
    sequences, lengths = tf.constant(table.sequences), tf.constant(table.lengths)

    def inputs(text, image):
        image_features, image_boxes = (
            tf.cast(tf.gather(features, image), tf.float32),
            tf.gather(boxes, image),
        )
        texts = text_inputs(tf.gather(sequences, text), tf.gather(lengths, text))
        return {**texts, **model.image_inputs(image_features, image_boxes)}

    dataset = tf.data.Dataset.from_tensor_slices(
        (table.texts[pairs.texts], rows[pairs.images])
    ).batch(batch_size)
    return dataset.map(inputs, tf.data.AUTOTUNE, deterministic=True)


def score_batches(
    matcher: tf_keras.Model, strategy: tf.distribute.Strategy, dataset: tf.data.Dataset, count: int
) -> np.ndarray:
    """[N, 2] float32 logits of (mismatch, match) of all pairs, in order.

    Args: matcher: made in the scope of `strategy`. dataset: global batches of its inputs. count: N,
      for the lines that say how far it is.
    """

    @tf.function
    def score(batch):
        return strategy.run(lambda part: matcher(part, training=False), args=(batch,))

    results = []
    with input_errors_as_themselves(), Progress("scoring", count, "pairs") as progress:
        for batch in strategy.experimental_distribute_dataset(dataset.prefetch(2)):
            parts = strategy.experimental_local_results(score(batch))
            results += [part.numpy() for part in parts]
            progress.done(sum(map(len, parts)))
    return np.concatenate(results)
