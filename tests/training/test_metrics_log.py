import json
import math

import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.training.metrics_log import MetricsLog, read_metrics


def test_lines_are_whole_json_objects(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl", resumed_step=0)
    log.write("train", 20, {"loss": 1.5})
    log.write("eval", 20, {"loss": 2.5})
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [
        {"kind": "train", "step": 20, "loss": 1.5},
        {"kind": "eval", "step": 20, "loss": 2.5},
    ]
    assert log.has("eval", 20) and not log.has("eval", 40)


def test_resumed_run_drops_what_lies_after_its_checkpoint(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, resumed_step=0)
    for step in (10, 20, 30):
        log.write("train", step, {"loss": step})
    with path.open("a") as file:
        file.write('{"kind": "train", "st')  # killed while writing
    assert [line["step"] for line in read_metrics(path)] == [10, 20, 30]
    MetricsLog(path, resumed_step=20).write("train", 30, {"loss": 31})
    assert [(line["step"], line["loss"]) for line in read_metrics(path)] == [
        (10, 10),
        (20, 20),
        (30, 31),
    ]


def test_new_run_starts_empty(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"kind": "train", "step": 5}\n')
    MetricsLog(tmp_path / "metrics.jsonl", resumed_step=0)
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_what_is_no_number_is_null_in_the_file_and_nan_when_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    MetricsLog(path, resumed_step=0).write("eval", 3, {"loss": float("inf"), "accuracy": 0.5})
    for log in (MetricsLog(path, resumed_step=3), MetricsLog(path, resumed_step=4)):
        assert json.loads(path.read_text()) == {
            "kind": "eval",
            "step": 3,
            "loss": None,
            "accuracy": 0.5,
        }
        figures = {name: float(value) for name, value in log.last("eval").items()}
        assert math.isnan(figures["loss"]) and figures["accuracy"] == 0.5


@pytest.mark.parametrize("line", ["{", "[1]", '{"kind": "train"}', '"text"'])
def test_broken_lines_are_named(tmp_path, line):
    (tmp_path / "metrics.jsonl").write_text(f'{{"kind": "train", "step": 1}}\n{line}\n')
    with pytest.raises(InputError, match="metrics.jsonl line 2: a JSON object with `kind`"):
        read_metrics(tmp_path / "metrics.jsonl")
