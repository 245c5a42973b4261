"""Four ways of counting a result file: ours, and those of the three released scripts.

What they share: the query is the image's product for img2txt and the text's for txt2img, pairs are
  sorted by the match
logit, and a query without a positive counts as never found.

  average: ids without blanks around them, queries over the whole file, ties by their expected
    place, plain shares.
  kaleido: Kaleido-BERT's script. Ids without any blank, ties in file order, shares of (count +
    1e-5).
  fashionbert_release: FashionBERT's script. It cuts a line's printed ids at the commas and keeps
    the blank after each, so that a query at the beginning of a line is another one than the same
    query later in a line. Such a query counts twice, and its one positive stands in one of the two
    parts only. Otherwise as `kaleido`.
  mvlt_release: MVLT's script. Its lists of 101 pairs begin with the true one, which a list of any
    other order is counted as, so that a tie counts as found; hits are divided by 1,000, however
    many queries there are, and with them what chance gives and the interval.
"""

import dataclasses

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS, RetrievalMetrics, evaluate_retrieval
from kaleido_tf.evaluation.result_files import ResultFile

PROTOCOLS = ("average", "kaleido", "fashionbert_release", "mvlt_release")

ORIGINAL_ADDEND = 1e-5
"""What the released scripts add to every count they divide by."""

MVLT_QUERIES = 1000
"""What MVLT's script divides hits by."""


def count_result_file(
    result: ResultFile, direction: str, protocol: str = "average"
) -> RetrievalMetrics:
    """The figures of a result file. Raises: InputError for an unknown direction or protocol."""
    for name, value, known in (("type", direction, DIRECTIONS), ("protocol", protocol, PROTOCOLS)):
        if value not in known:
            raise InputError(f"--{name} must be one of {', '.join(known)}. Received: {value}")
    queries = query_ids(result, direction, protocol)
    if protocol == "mvlt_release":
        return _as_mvlt_divides(_true_ones_first(queries, result))
    metrics = evaluate_retrieval(queries, result.labels, result.logits, ties=ties_of(protocol))
    return metrics if protocol == "average" else _as_the_scripts_divide(metrics)


def ties_of(protocol: str) -> str:
    """How a protocol counts equal scores (see `evaluate_retrieval`)."""
    return "average" if protocol == "average" else "file_order"


def query_ids(result: ResultFile, direction: str, protocol: str) -> list[str]:
    """[N] what each pair is grouped by."""
    ids = result.image_ids if direction == "img2txt" else result.text_ids
    if protocol in ("average", "mvlt_release"):
        return [identifier.strip() for identifier in ids]
    if protocol == "kaleido":
        return [identifier.replace(" ", "") for identifier in ids]
    begins_line = np.zeros(len(ids), bool)
    begins_line[result.batch_starts] = True
    return [
        f"'{identifier}'" if begins else f" '{identifier}'"
        for identifier, begins in zip(ids, begins_line)
    ]


def _true_ones_first(queries: list[str], result: ResultFile) -> RetrievalMetrics:
    order = np.argsort(-result.labels, kind="stable")
    queries = [queries[place] for place in order]
    return evaluate_retrieval(
        queries, result.labels[order], result.logits[order], ties=ties_of("mvlt_release")
    )


def _as_mvlt_divides(metrics: RetrievalMetrics) -> RetrievalMetrics:
    part = metrics.queries / MVLT_QUERIES
    return dataclasses.replace(
        metrics,
        rank={k: share * part for k, share in metrics.rank.items()},
        chance={k: share * part for k, share in metrics.chance.items()},
        interval={k: (low * part, high * part) for k, (low, high) in metrics.interval.items()},
    )


def _as_the_scripts_divide(metrics: RetrievalMetrics) -> RetrievalMetrics:
    queries, examples = metrics.queries, metrics.examples
    return dataclasses.replace(
        metrics,
        rank={
            k: value * queries / (queries + ORIGINAL_ADDEND) for k, value in metrics.rank.items()
        },
        accuracy=metrics.accuracy * examples / (examples + ORIGINAL_ADDEND),
    )


def direction_in_name(name: str) -> str | None:
    """The direction that a file's name says, or None if it says none or both."""
    directions = [direction for direction in DIRECTIONS if direction in name]
    return directions[0] if len(directions) == 1 else None
