"""Scores candidate lists with the matching head (section 4.2) and writes the original's result file.

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
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.retrieval import RetrievalMetrics

DIRECTIONS = ("img2txt", "txt2img")
FIELD_SEPARATOR = "\001"


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


def score_pairs(model, strategy: tf.distribute.Strategy, table: RecordTable, pairs: Pairs, batch_size: int) -> np.ndarray:
    """[N, 2] float32 logits of (mismatch, match) for every pair, in order. `batch_size`: pairs a replica at once."""
    rows, features, boxes = read_images(table, pairs.images)
    features, boxes = tf.constant(features), tf.constant(boxes)
    sequences, lengths = tf.constant(table.sequences), tf.constant(table.lengths)

    def inputs(text, image):
        image_features, image_boxes = tf.cast(tf.gather(features, image), tf.float32), tf.gather(boxes, image)
        texts = text_inputs(tf.gather(sequences, text), tf.gather(lengths, text))
        return {**texts, **model.image_inputs(image_features, image_boxes)}

    dataset = tf.data.Dataset.from_tensor_slices((table.texts[pairs.texts], rows[pairs.images]))
    dataset = dataset.batch(batch_size * strategy.num_replicas_in_sync)
    return score_batches(model, strategy, dataset.map(inputs, tf.data.AUTOTUNE, deterministic=True), len(pairs.labels))


def score_batches(model, strategy: tf.distribute.Strategy, dataset: tf.data.Dataset, count: int) -> np.ndarray:
    """[N, 2] float32 logits of (mismatch, match) of all pairs, in order.

    Args: dataset: global batches of the matcher's inputs. count: N, for the lines that say how far it is.
    """

    @tf.function
    def score(batch):
        return strategy.run(lambda part: model.matcher(part, training=False), args=(batch,))

    results, start, said = [], time.monotonic(), time.monotonic()
    for batch in strategy.experimental_distribute_dataset(dataset.prefetch(2)):
        results += [part.numpy() for part in strategy.experimental_local_results(score(batch))]
        done = sum(map(len, results))
        if time.monotonic() - said > 20:
            said = time.monotonic()
            left = (said - start) * (count / done - 1)
            print(f"scored {done}/{count} pairs, {done / (said - start):.0f} pairs/s, {left / 60:.1f} min left", flush=True)
    return np.concatenate(results)


def write_result_file(path: pathlib.Path, table: RecordTable, pairs: Pairs, logits: np.ndarray, batch_size: int) -> None:
    """The original's result file: a line a batch, five fields separated by \\001.

    Text product ids, image product ids, image ids and labels as printed lists of one-element lists, then the logits of
    (mismatch, match) as one flat list. Appears whole or not at all.
    """
    lines = []
    for start in range(0, len(pairs.labels), batch_size):
        part = slice(start, start + batch_size)
        columns = (
            table.product_ids[pairs.texts[part]],
            table.product_ids[pairs.images[part]],
            table.image_ids[pairs.images[part]],
            pairs.labels[part].astype(int),
        )
        fields = [str([[value] for value in column.tolist()]) for column in columns]
        lines.append(FIELD_SEPARATOR.join([*fields, str(logits[part].reshape(-1).tolist())]) + "\n")
    _write_whole(path, "".join(lines))


def write_metrics(path: pathlib.Path, metrics: RetrievalMetrics, direction: str, ties: str) -> dict:
    """`retrieval_metrics.json`; returns what it holds."""
    content = {
        "type": direction,
        "protocol": "one list of candidates a query; Rank@K over all queries",
        "queries": metrics.queries,
        "examples": metrics.examples,
        "candidates_per_query": dict(zip(("smallest", "mean", "largest"), metrics.candidates)),
        "queries_without_positive": metrics.queries_without_positive,
        "queries_with_ties": metrics.queries_with_ties,
        "ties_counted": ties,
        "accuracy": metrics.accuracy,
        "accuracy_chance": metrics.accuracy_chance,
        "auc": metrics.auc,
        **{f"rank@{k}": value for k, value in metrics.rank.items()},
        "chance": {f"rank@{k}": value for k, value in metrics.chance.items()},
        "interval_95": {f"rank@{k}": list(value) for k, value in metrics.interval.items()},
    }
    _write_whole(path, json.dumps(content, indent=1) + "\n")
    return content


def _write_whole(path: pathlib.Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"{path} could not be written: {error}") from error


def summary(metrics: RetrievalMetrics, direction: str) -> str:
    """A few lines for people: every figure with what chance would give."""
    low, mean, high = metrics.candidates
    lines = [f"{direction}: {metrics.queries} queries, {low} to {high} (mean {mean:.1f}) candidates each"]
    for k, value in metrics.rank.items():
        a, b = metrics.interval[k]
        lines.append(f"  Rank@{k:<4} {value:7.2%}   (95% {a:.2%} to {b:.2%}; chance {metrics.chance[k]:.2%})")
    lines.append(f"  AUC       {metrics.auc:7.4f}   (chance 0.5)")
    lines.append(f"  accuracy  {metrics.accuracy:7.2%}   (always the more frequent label: {metrics.accuracy_chance:.2%})")
    if metrics.queries_without_positive or metrics.queries_with_ties:
        lines.append(f"  {metrics.queries_without_positive} queries without a positive, {metrics.queries_with_ties} with ties")
    return "\n".join(lines)
