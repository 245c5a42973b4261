import ast
import json

import numpy as np
import pytest

from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.result_files import (
    read_result_file,
    write_judged_predictions,
    write_result_file,
)
from tests.golden_files import predictions

E2E = [
    predictions(family) / f"result_{direction}.txt"
    for family in ("kaleidobert", "fashionbert")
    for direction in ("img2txt", "txt2img")
]


@pytest.mark.parametrize("path", E2E, ids=lambda path: "/".join(path.parts[-2:]))
def test_result_file_is_the_originals_to_the_letter(tmp_path, path):
    lines = [line.split("\001") for line in path.read_text().splitlines()]
    columns = [[row[0] for line in lines for row in ast.literal_eval(line[n])] for n in range(4)]
    size = len(ast.literal_eval(lines[0][0]))
    logits = np.array([v for line in lines for v in ast.literal_eval(line[4])], np.float32).reshape(
        -1, 2
    )
    write_result_file(tmp_path / "out.txt", *columns, logits, batch_size=size)
    assert (tmp_path / "out.txt").read_text() == path.read_text()
    result = read_result_file(path)
    for read, column in zip(
        (result.text_ids, result.image_ids, result.image_file_ids, result.labels), columns
    ):
        assert read.tolist() == column
    np.testing.assert_array_equal(result.logits, logits.astype(np.float64))
    assert result.batch_starts.tolist() == list(range(0, len(logits), size))


def test_what_is_written_is_read_back(tmp_path):
    strange = ["a, b", "it's", 'say "x"', "[[0]]", "grün\u2028", "back\\slash", " blank "]
    ids = [strange, [f"separator\001{n}" for n in range(7)], ["u'x'"] * 7]
    logits = np.random.default_rng(0).normal(size=[7, 2]).astype(np.float32)
    labels = np.array([True, False, False, True, False, False, False])
    write_result_file(tmp_path / "r.txt", *ids, labels, logits, batch_size=3)
    result = read_result_file(tmp_path / "r.txt")
    assert [
        result.text_ids.tolist(),
        result.image_ids.tolist(),
        result.image_file_ids.tolist(),
    ] == ids
    assert result.labels.tolist() == [1, 0, 0, 1, 0, 0, 0] and result.batch_starts.tolist() == [
        0,
        3,
        6,
    ]
    assert result.logits.dtype == np.float64
    np.testing.assert_array_equal(result.logits, logits)


def line(
    texts="[['t']]", images="[['i']]", files="[['f']]", labels="[[1]]", logits="[0.5, -1e-05]"
):
    return "\001".join([texts, images, files, labels, logits])


@pytest.mark.parametrize(
    "printed, expected",
    [
        ("[[u'gr\\xfcn']]", "grün"),
        ("[[b'gr\\xc3\\xbcn']]", "grün"),
        ("[[b'\\xff']]", "\\xff"),
        ("['flat']", "flat"),
        ("[['']]", ""),
    ],
)
def test_ids_as_either_python_prints_them(tmp_path, printed, expected):
    (tmp_path / "r.txt").write_text(line(texts=printed) + "\r\n")
    result = read_result_file(tmp_path / "r.txt")
    assert result.text_ids.tolist() == [expected] and result.logits.tolist() == [[0.5, -1e-05]]


@pytest.mark.parametrize(
    "content, message",
    [
        ("", r"r\.txt holds no pair"),
        ("a\001b\n", r"r\.txt line 1: needed 5 fields .* Received: 2"),
        (line() + "\n\n", r"line 2: needed 5 fields .* Received: 1"),
        (
            line() + "\n" + line(images="[['i'], ['j']]"),
            r"line 2: .* 1 text ids, 2 image ids, 1 image file ids, 1 labels, 1 pairs of logits",
        ),
        (line(logits="[0.5]"), r"line 1: .* 0\.5 pairs of logits"),
        (
            line(logits="[0.5, nan]"),
            r"line 1, logits: needed a printed list of numbers. Received: '\[0.5, nan\]'",
        ),
        (line(logits="[0.5, NaN]"), r"line 1, logits: needed a printed list of finite numbers"),
        (line(logits="0.5"), r"line 1, logits: needed"),
        (line(logits="[[0.5, 1], [2]]"), r"line 1, logits: needed"),
        (
            line(labels="[[one]]"),
            r"line 1, labels: needed a printed list of numbers. Received: '\[\[one\]\]'",
        ),
        (line(labels="[[2]]"), r"line 1, labels: needed 0 or 1. Received: 2"),
        (
            line(texts="[['t'"),
            r"line 1, text ids: needed a printed list of ids. Received: \"\[\['t'\"",
        ),
        (line(texts="[[open('x')]]"), r"line 1, text ids: needed a printed list of ids"),
        (line(texts="'t'"), r"line 1, text ids: needed a printed list of ids"),
        (
            line(images="[[1]]"),
            r"line 1, image ids: needed one id in quotes a pair. Received as number 1: \[1\]",
        ),
        (line(files="[['f', 'g']]"), r"line 1, image file ids: needed one id in quotes a pair"),
        (line(texts="[" * 100000), r"line 1, text ids: needed a printed list of ids"),
        (line(logits="[" * 100000), r"line 1, logits: needed a printed list of numbers"),
    ],
)
def test_broken_files_are_named(tmp_path, content, message):
    (tmp_path / "r.txt").write_text(content)
    with pytest.raises(InputError, match=message):
        read_result_file(tmp_path / "r.txt")


def test_other_bytes_and_missing_files_are_named(tmp_path):
    for content, message in (
        (b"\xff\xfe", "UTF-16"),
        (b"a\n\xff", "line 2: .* 0xff|line 1: needed 5"),
    ):
        (tmp_path / "r.txt").write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_result_file(tmp_path / "r.txt")
    for path in (tmp_path / "gone.txt", tmp_path):
        with pytest.raises(InputError, match="A result file is needed. .* cannot be read"):
            read_result_file(path)


def test_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    (tmp_path / "r.txt").write_bytes(b"\xef\xbb\xbf" + line().encode() + b"\r\n")
    assert read_result_file(tmp_path / "r.txt").text_ids.tolist() == ["t"]


def test_judged_predictions_give_a_class_that_training_lacked_no_probability(tmp_path):
    path, scores = tmp_path / "predictions.jsonl", np.array([[0.25, 0.75], [0.5, 0.5]])
    write_judged_predictions(path, ["P1", "P2"], ["P1_1", "P2_3"], [0, 2], "abz", scores)
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {
        "product_id": "P1",
        "image_id": "P1_1",
        "true": "a",
        "predicted": "b",
        "probability_true": 0.25,
        "probability_predicted": 0.75,
    }
    assert (second["true"], second["predicted"]) == ("z", "a")
    assert (second["probability_true"], second["probability_predicted"]) == (0.0, 0.5)
