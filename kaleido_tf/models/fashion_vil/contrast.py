"""FashionViL's losses between the pairs of a batch (sections 3.3 and 3.4 of the paper), and of soft
labels.

B = pairs of this replica, G = of all replicas, D = vector size, S = text length, A = attributes.
"""

import contextlib

import tensorflow as tf

from kaleido_tf.errors import InputError
from kaleido_tf.losses import SMALLEST_COUNT, WeightedSum

LABEL_EPSILON = 1.1920929e-07
"""Is added to a row of soft labels before it is divided by its sum: float32's, as the release."""
EXCLUDED = -1e9
"""Logit of a pair that is neither right nor wrong."""


def check_others(rows: int | None, task: str, of_replica: bool = False) -> None:
    """Refuses training on a batch in which nothing is wrong.

    Args: rows: B, where it is known. of_replica: whether wrong answers are of this replica alone.
    Raises: InputError for a single pair.
    """
    replicas = 1 if of_replica else tf.distribute.get_strategy().num_replicas_in_sync
    if rows is not None and rows * replicas < 2:
        raise InputError(
            f"{task} finds wrong answers within a batch, so that it needs two examples or more"
            f"{' a replica' if of_replica else ''}. Received: --train_batch_size={rows}"
        )


def contrast(images: tf.Tensor, texts: tf.Tensor, ids: tf.Tensor) -> dict[str, WeightedSum]:
    """Cross entropy of finding the own text for each image among those of all replicas and the own
    image for each text, the mean of the two (image-text contrastive learning).

    Args: images, texts: [B, D] float32, whose products are the logits. ids: [B, S] int, of the
      texts: a pair of products with equal texts is left out (the release takes it for wrong).
    Returns: {"loss", "accuracy"}; accuracy: how often the own one has the largest logit.
    """
    ways = (one_way_contrast(images, texts, ids), one_way_contrast(texts, images, ids))
    return {name: _half_of_both(*(way[name] for way in ways)) for name in ways[0]}


def one_way_contrast(
    queries: tf.Tensor,
    answers: tf.Tensor,
    ids: tf.Tensor,
    wrong: tuple[tf.Tensor, tf.Tensor] | None = None,
) -> dict[str, WeightedSum]:
    """Cross entropy of finding the own answer for each query among those of all replicas.

    Args: queries, answers: [B, D] float32, whose products are the logits. ids: [B, S] int, of the
      answers: one that equals the own is left out, being neither right nor wrong (the release takes
      it for wrong). wrong: answers of no query, and their ids, that are held against all queries,
      too.
    Returns: {"loss", "accuracy"}; accuracy: how often the own one has the largest logit.
    """
    all_answers, all_ids = _of_all_replicas(answers), _of_all_replicas(ids)
    if wrong is not None:
        all_answers = tf.concat([all_answers, _of_all_replicas(wrong[0])], axis=0)
        all_ids = tf.concat([all_ids, _of_all_replicas(wrong[1])], axis=0)
    labels = _first_row(queries) + tf.range(tf.shape(queries)[0])
    own = tf.one_hot(labels, tf.shape(all_ids)[0], on_value=True, off_value=False, dtype=tf.bool)
    excluded = equal_rows(ids, all_ids) & ~own
    logits = tf.where(excluded, EXCLUDED, tf.matmul(queries, all_answers, transpose_b=True))
    entropies = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    found = tf.argmax(logits, axis=1, output_type=labels.dtype) == labels
    count = tf.cast(tf.size(labels), tf.float32)
    return {
        "loss": WeightedSum(tf.reduce_sum(entropies), count),
        "accuracy": WeightedSum(tf.reduce_sum(tf.cast(found, tf.float32)), count),
    }


def _half_of_both(first: WeightedSum, second: WeightedSum) -> WeightedSum:
    """The mean of two means over the same number of rows."""
    return WeightedSum(0.5 * (first.total + second.total), first.weight)


def soft_label_loss(logits: tf.Tensor, labels: tf.Tensor) -> WeightedSum:
    """Cross entropy with soft labels, over the rows that have any. [B, A] float32 both."""
    sums = tf.reduce_sum(labels, axis=1, keepdims=True)
    labels = labels / (LABEL_EPSILON + sums)
    rows = -tf.reduce_sum(labels * tf.nn.log_softmax(logits), axis=1)
    counted = tf.cast(sums[:, 0] != 0, tf.float32)
    count = tf.maximum(tf.reduce_sum(counted), SMALLEST_COUNT)
    return WeightedSum(tf.reduce_sum(rows * counted), count)


def hardest_texts(images: tf.Tensor, texts: tf.Tensor, ids: tf.Tensor) -> tuple:
    """For each image the wrong text of this replica's batch with the largest logit: its row [B]
    int32, and whether there is one [B] bool. Args: as `contrast`.

    The release gives the right text a logit of -1 instead of leaving it out, so that it would be
    taken where all others are below; texts equal to the right one are wrong there.
    """
    logits = tf.matmul(images, texts, transpose_b=True)
    same = equal_rows(ids, ids)
    wrong = tf.where(same, -float("inf"), logits)
    # One column more, which is never the largest: of an empty batch there would be none.
    wrong = tf.pad(wrong, [[0, 0], [0, 1]], constant_values=-float("inf"))
    hardest = tf.argmax(wrong, axis=1, output_type=tf.int32)
    return hardest, tf.reduce_any(~same, axis=1)


def equal_rows(rows: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """[B, G] bool: which of the rows [B, S] and [G, S] are equal."""
    return tf.reduce_all(rows[:, None] == others[None], axis=-1)


def _of_all_replicas(values):
    """[G, ...]: gradients of all replicas come back to each."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    return _gather(context, values)


def _gather(context, values):
    devices = context.strategy.extended.worker_devices
    # The only replica of a worker: what it gathers over all workers must say where it is.
    with tf.device(devices[0]) if len(devices) == 1 else contextlib.nullcontext():
        return context.all_gather(tf.identity(values), axis=0)


def _first_row(values):
    """Where this replica's rows begin among those of all."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return 0
    sizes = _gather(context, tf.shape(values)[:1])
    return tf.reduce_sum(sizes[: context.replica_id_in_sync_group])
