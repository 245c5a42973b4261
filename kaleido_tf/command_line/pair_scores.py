"""Scored pairs to the result file and the metrics that a command leaves."""

import pathlib

import numpy as np

from kaleido_tf.command_line.examples import ListedPairs
from kaleido_tf.evaluation.rank_metrics import evaluate_retrieval
from kaleido_tf.evaluation.report import summary, write_metrics
from kaleido_tf.evaluation.result_files import write_result_file
from kaleido_tf.evaluation.verdict import Verdict


def write_scores(
    output: pathlib.Path,
    direction: str,
    scored: ListedPairs,
    logits: np.ndarray,
    batch_size: int,
    metrics_name: str,
    verdict: Verdict | None = None,
) -> None:
    """Writes the result file, `batch_size` pairs a line, and the metrics, and prints these beside
    chance, and the verdict on Rank@1. Args: logits: [N, 2].
    """
    write_result_file(
        output / f"eval_{direction}_results.txt",
        scored.text_ids,
        scored.image_ids,
        scored.image_file_ids,
        scored.labels,
        logits,
        batch_size,
    )
    metrics = evaluate_retrieval(
        scored.queries, scored.labels, logits, equal_texts=scored.equal_texts
    )
    write_metrics(output / metrics_name, metrics, direction, "average", verdict)
    print(summary(metrics, direction))
    if verdict:
        print(verdict, flush=True)
