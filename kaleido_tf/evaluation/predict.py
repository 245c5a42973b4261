"""Scores pairs of texts and images, such as candidate lists, with the matching head (section 4.2).

Each image's features are read once, however many pairs it stands in. N = pairs, I = images, F = feature size.
"""

import dataclasses
import json
import os
import pathlib
import time

import numpy as np
import tensorflow as tf

from kaleido_tf.data.pipeline import text_inputs
from kaleido_tf.data.record_table import RecordTable, read_images
from kaleido_tf.errors import InputError, raised_inside
from kaleido_tf.evaluation.protocols import DIRECTIONS


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs to be scored: record numbers of the text's and the image's side [N] int, labels [N] bool (own text), and
    the number of the candidate list that each pair stands in [N] int."""

    texts: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    lists: np.ndarray


def read_candidate_pairs(path: str | os.PathLike, direction: str, table: RecordTable) -> Pairs:
    """The pairs of a candidate file (data_prep.write_retrieval_candidates), list after list.

    Raises: InputError naming the line for a broken line, an id that the records do not hold, or the other direction.
    """
    if direction not in DIRECTIONS:
        raise InputError(f"--type must be one of {', '.join(DIRECTIONS)}. Received: {direction}")
    if not os.path.isfile(path):
        raise InputError(f"Candidate lists (data_prep.write_retrieval_candidates) are needed. Not found: {path}")
    images = {image: number for number, image in enumerate(table.image_ids)}
    products = {product: number for number, product in reversed(list(enumerate(table.product_ids)))}
    query_index, candidate_index = (images, products) if direction == "img2txt" else (products, images)
    queries, candidates, labels, lists = [], [], [], []
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), start=1):
        where = f"{path} line {number}"
        entry = _parse_line(line, where)
        query = _find(entry["query"], query_index, where, direction)
        for candidate in entry["candidates"]:
            queries.append(query)
            candidates.append(_find(candidate, candidate_index, where, direction))
            labels.append(candidate == entry["positive"])
            lists.append(number)
    if not queries:
        raise InputError(f"Candidate lists are needed. {path} holds none")
    sides = (candidates, queries) if direction == "img2txt" else (queries, candidates)
    return Pairs(np.array(sides[0], np.int32), np.array(sides[1], np.int32), np.array(labels), np.array(lists))


def _parse_line(line: str, where: str) -> dict:
    try:
        entry = json.loads(line)
        return {name: entry[name] for name in ("query", "positive", "candidates")}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{where}: needed {{query, positive, candidates}} as JSON. Received: {line[:80]!r} ({error})") from error


def _find(identifier: str, index: dict[str, int], where: str, direction: str) -> int:
    if identifier not in index:
        raise InputError(f"{where}: {identifier!r} is not in the records (is this the {direction} file of these records?)")
    return index[identifier]


def candidate_batches(model, table: RecordTable, pairs: Pairs, batch_size: int) -> tf.data.Dataset:
    """Batches of the matcher's inputs for every pair, in order."""
    rows, features, boxes = read_images(table, pairs.images)
    features, boxes = tf.constant(features), tf.constant(boxes)
    sequences, lengths = tf.constant(table.sequences), tf.constant(table.lengths)

    def inputs(text, image):
        image_features, image_boxes = tf.cast(tf.gather(features, image), tf.float32), tf.gather(boxes, image)
        texts = text_inputs(tf.gather(sequences, text), tf.gather(lengths, text))
        return {**texts, **model.image_inputs(image_features, image_boxes)}

    dataset = tf.data.Dataset.from_tensor_slices((table.texts[pairs.texts], rows[pairs.images])).batch(batch_size)
    return dataset.map(inputs, tf.data.AUTOTUNE, deterministic=True)


def score_batches(model, strategy: tf.distribute.Strategy, dataset: tf.data.Dataset, count: int) -> np.ndarray:
    """[N, 2] float32 logits of (mismatch, match) of all pairs, in order.

    Args: dataset: global batches of the matcher's inputs. count: N, for the lines that say how far it is.
    """

    @tf.function
    def score(batch):
        return strategy.run(lambda part: model.matcher(part, training=False), args=(batch,))

    results, start, said = [], time.monotonic(), time.monotonic()
    try:
        for batch in strategy.experimental_distribute_dataset(dataset.prefetch(2)):
            results += [part.numpy() for part in strategy.experimental_local_results(score(batch))]
            done = sum(map(len, results))
            if time.monotonic() - said > 20:
                said = time.monotonic()
                left = (said - start) * (count / done - 1)
                print(f"scored {done}/{count} pairs, {done / (said - start):.0f} pairs/s, {left / 60:.1f} min left", flush=True)
    except tf.errors.OpError as error:  # a row that cannot be read
        raise raised_inside(error) or error from error
    return np.concatenate(results)
