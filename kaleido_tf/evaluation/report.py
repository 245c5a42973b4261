"""Retrieval figures for people and programs: a few lines of text, and the content of
`retrieval_metrics.json`.
"""

import json
import math
import os

from kaleido_tf.evaluation.protocols import count_result_file, ties_of
from kaleido_tf.evaluation.rank_metrics import RetrievalMetrics
from kaleido_tf.evaluation.result_files import ResultFile
from kaleido_tf.evaluation.verdict import Verdict
from kaleido_tf.files.whole_files import write_whole

LISTS = "one list of candidates a query; Rank@K over all queries"
_MISCOUNTED = {
    "fashionbert_release": (
        "The release counts {counted} queries where there are {there}: its script keeps the blank"
        " before every id but the first of a line, so a query that begins a line is counted apart"
        " from the same query elsewhere."
    ),
    "mvlt_release": (
        "The release divides hits by 1,000, and there are {there} queries; a true pair that ties"
        " with others counts as found."
    ),
}
"""Protocol -> what is wrong with its count, in words."""


def summary(metrics: RetrievalMetrics, direction: str) -> str:
    """Every figure with what chance would give."""
    low, mean, high = metrics.candidates
    lines = [
        f"{direction}: {metrics.queries} queries, {low} to {high} (mean {mean:.1f}) candidates each"
    ]
    for k, value in metrics.rank.items():
        a, b = metrics.interval[k]
        lines.append(
            f"  Rank@{k:<4} {value:7.2%}   (95% {a:.2%} to {b:.2%}; chance {metrics.chance[k]:.2%})"
        )
    lines.append(f"  AUC       {metrics.auc:7.4f}   (chance 0.5)")
    lines.append(
        f"  accuracy  {metrics.accuracy:7.2%}   (always the more frequent label:"
        f" {metrics.accuracy_chance:.2%})"
    )
    lines.append(
        f"  {metrics.examples} examples, {metrics.queries_without_positive} queries without a"
        f" positive, {metrics.queries_with_ties} with ties"
    )
    if metrics.equal_texts:
        lines.append(
            f"  {metrics.equal_texts} candidates of other products have the very text of the truth:"
            " they count as right"
        )
    return "\n".join(lines)


def metrics_content(
    metrics: RetrievalMetrics, direction: str, ties: str, protocol: str = LISTS
) -> dict:
    """What `retrieval_metrics.json` holds; an AUC of one class only is null."""
    return {
        "type": direction,
        "protocol": protocol,
        "queries": metrics.queries,
        "examples": metrics.examples,
        "candidates_per_query": dict(zip(("smallest", "mean", "largest"), metrics.candidates)),
        "queries_without_positive": metrics.queries_without_positive,
        "queries_with_ties": metrics.queries_with_ties,
        "candidates_of_the_same_text": metrics.equal_texts,
        "ties_counted": ties,
        "accuracy": metrics.accuracy,
        "accuracy_chance": metrics.accuracy_chance,
        "auc": None if math.isnan(metrics.auc) else metrics.auc,
        **{f"rank@{k}": value for k, value in metrics.rank.items()},
        "chance": {f"rank@{k}": value for k, value in metrics.chance.items()},
        "interval_95": {f"rank@{k}": list(value) for k, value in metrics.interval.items()},
    }


def write_metrics(
    path: str | os.PathLike,
    metrics: RetrievalMetrics,
    direction: str,
    ties: str,
    verdict: Verdict | None = None,
) -> dict:
    """Writes `retrieval_metrics.json`; returns what it holds. Args: verdict: on its rank@1, where
    there is one.
    """
    content = metrics_content(metrics, direction, ties)
    if verdict is not None:
        content["verdict"] = verdict.content()
    write_whole(path, json.dumps(content, indent=1) + "\n")
    return content


def report(result: ResultFile, direction: str, protocol: str) -> tuple[str, dict]:
    """A result file counted by one protocol: the text, and the figures as `retrieval_metrics.json`
    has them.

    What a release miscounts never comes alone: beside its count stands the honest one (in the
      figures: `honest`).
    """
    metrics = count_result_file(result, direction, protocol)
    content = metrics_content(metrics, direction, ties_of(protocol), protocol)
    lines = [f"protocol {protocol} (ties: {ties_of(protocol)})", summary(metrics, direction)]
    if protocol != "average":
        lines.append(_in_the_scripts_digits(metrics))
    if protocol in _MISCOUNTED:
        honest = count_result_file(result, direction)
        content["honest"] = metrics_content(honest, direction, ties_of("average"), "average")
        lines += [
            "",
            "the honest count of the same file: protocol average (ties: average)",
            summary(honest, direction),
            "",
            _MISCOUNTED[protocol].format(counted=metrics.queries, there=honest.queries),
        ]
    return "\n".join(lines), content


def _in_the_scripts_digits(metrics: RetrievalMetrics) -> str:
    figures = {
        "accuracy": metrics.accuracy,
        **{f"Rank@{k}": value for k, value in metrics.rank.items()},
        "AUC": metrics.auc,
    }
    return "  in the script's digits: " + ", ".join(
        f"{name} {value:.12g}" for name, value in figures.items()
    )
