import json

import numpy as np

from kaleido_tf.evaluation.rank_metrics import evaluate_retrieval
from kaleido_tf.evaluation.report import metrics_content, report, summary, write_metrics
from kaleido_tf.evaluation.result_files import read_result_file
from tests.golden_files import read_json

LOGITS = np.array([[0, 2.0], [0, 1], [0, 1], [0, 3]])


def test_metrics_file(tmp_path):
    metrics = evaluate_retrieval(["a", "a", "b", "b"], np.array([1, 0, 0, 0]), LOGITS)
    write_metrics(tmp_path / "retrieval_metrics.json", metrics, "txt2img", "average")
    content = json.loads((tmp_path / "retrieval_metrics.json").read_text())
    assert (
        content["rank@1"] == 0.5
        and content["queries"] == 2
        and content["queries_without_positive"] == 1
    )
    assert content["candidates_per_query"] == {"smallest": 2, "mean": 2.0, "largest": 2}
    assert content["chance"]["rank@1"] == 0.25 and content["interval_95"]["rank@1"][0] < 0.5
    assert content["type"] == "txt2img" and content["ties_counted"] == "average"


def test_area_of_one_class_is_null():
    metrics = evaluate_retrieval(["a", "a", "b", "b"], np.ones(4), LOGITS)
    assert metrics_content(metrics, "img2txt", "average")["auc"] is None


def test_summary_holds_every_figure():
    lines = summary(
        evaluate_retrieval(["a", "a", "a", "b"], np.array([1, 0, 0, 0]), LOGITS), "img2txt"
    ).splitlines()
    assert lines[0] == "img2txt: 2 queries, 1 to 3 (mean 2.0) candidates each"
    assert [line.split()[0] for line in lines[1:5]] == ["Rank@1", "Rank@5", "Rank@10", "Rank@100"]
    assert "50.00%   (95% 9.45% to 90.55%; chance 16.67%)" in lines[1]
    assert lines[5].split()[:2] == ["AUC", "0.6667"] and lines[6].split()[:2] == [
        "accuracy",
        "25.00%",
    ]
    assert lines[7] == "  4 examples, 1 queries without a positive, 0 with ties"


def test_the_broken_protocol_never_comes_alone(golden_dir):
    folder = golden_dir / "prediction_analysis"
    result = read_result_file(folder / "img2txt_shuffled.txt")
    text, content = report(result, "img2txt", "fashionbert_release")
    script, honest = (
        read_json(folder / f"metrics_{name}_script.json")["img2txt_shuffled.txt"]
        for name in ("fashionbert", "kaleidobert")
    )
    counts = script["queries"], honest["queries"]
    assert counts[0] > counts[1] and all(f"{count} queries" in text for count in counts)
    assert text.splitlines()[-1].startswith(
        f"The release counts {counts[0]} queries where there are {counts[1]}: its script keeps the"
        " blank"
    )
    ranks = ", ".join(f"Rank@{k} {script[f'rank@{k}']:.12f}" for k in (1, 5, 10))
    assert ranks in text
    assert (
        content["queries"] == counts[0]
        and content["ties_counted"] == "file_order"
        and content["protocol"] == "fashionbert_release"
    )
    assert (
        content["honest"]["queries"] == counts[1] and content["honest"]["ties_counted"] == "average"
    )
    assert "honest" not in report(result, "img2txt", "kaleido")[1]


def test_candidates_of_the_same_text_are_counted():
    metrics = evaluate_retrieval(["a"] * 4, np.array([1, 0, 1, 0]), LOGITS, equal_texts=1)
    assert "1 candidates of other products have the very text" in summary(metrics, "img2txt")
    content = metrics_content(metrics, "img2txt", "average")
    assert content["candidates_of_the_same_text"] == 1
    plain = evaluate_retrieval(["a"] * 4, np.array([1, 0, 1, 0]), LOGITS)
    assert "very text" not in summary(plain, "img2txt")
