"""What an evaluation of recognition says and leaves; the yardstick of it."""

import json

import numpy as np
import pytest
from PIL import Image

from kaleido_tf.data.class_labels import class_names, labels_of
from kaleido_tf.data.coarse_features import read_coarse_features
from kaleido_tf.data.record_table import read_images, read_record_table
from kaleido_tf.evaluation.confusion_picture import draw_confusion
from kaleido_tf.evaluation.nearest_neighbours import Vote
from kaleido_tf.evaluation.recognition_report import (
    Evaluated,
    judge,
    recognition_content,
    summary,
    unseen_note,
    write_report,
    yardstick_line,
)
from kaleido_tf.evaluation.recognition_yardstick import Yardstick, measure_yardstick
from kaleido_tf.evaluation.result_files import write_predictions
from kaleido_tf.files.input_files import find_files
from kaleido_tf.records.record import GRIDS, KALEIDO
from kaleido_tf.text import Vocabulary
from tests import small_records

# Classes a, b, c of training, and z that it lacked.
EVALUATED = Evaluated(
    np.array([0, 0, 1, 1, 3, 1]),
    ["P1", "P1", "P2", "P3", "P4", "P5"],
    ("a", "b", "c", "z"),
    (5, 4, 2),
)
PREDICTIONS = np.array([0, 0, 1, 2, 0, 1])
YARDSTICK = Yardstick(np.array([0, 1, 1, 0, 0, 2]), Vote(3, 10.0))


@pytest.fixture(scope="module")
def content():
    verdict = judge(EVALUATED, YARDSTICK, PREDICTIONS)
    return recognition_content(EVALUATED, PREDICTIONS, YARDSTICK, verdict, {"task": "catepred"})


def test_figures_by_hand(content):
    # a: 2 of 3 said, 2 of 2 found; b: 2 of 2, 2 of 3; z: nothing. c is no label here.
    assert content["accuracy"] == pytest.approx(4 / 6)
    assert content["macro_f1"] == pytest.approx((0.8 + 0.8 + 0) / 3)
    expected = {"precision": 2 / 3, "recall": 1.0, "f1": 0.8, "support": 2, "train": 5}
    assert content["classes"]["a"] == pytest.approx(expected)
    assert content["classes"]["z"]["train"] == 0 and content["unseen_classes"] == {"z": 1}
    assert content["confusion"]["counts"][1] == [0, 2, 1, 0]
    assert content["products"] == 5 and content["yardstick"]["neighbours"] == 3
    low, high = content["interval_95"]["macro_f1"]
    assert low < content["macro_f1"] < high
    assert content["verdict"]["difference"] == pytest.approx(
        content["macro_f1"] - content["yardstick"]["macro_f1"]
    )


def test_lines_for_people(content):
    assert "catepred: 6 examples, accuracy 0.6667 (95% " in summary(content)
    assert "(3 nearest, the near ones more): accuracy 0.3333" in yardstick_line(
        EVALUATED, YARDSTICK
    )
    (note,) = unseen_note(EVALUATED)
    assert note == "1 class that training never saw, whose examples count as wrong: z (1)"


def test_files(content, tmp_path):
    write_report(tmp_path / "evaluation", content)
    assert json.loads((tmp_path / "evaluation" / "recognition.json").read_text()) == content
    with Image.open(tmp_path / "evaluation" / "confusion.png") as picture:
        few = picture.size
    names = [f"$a_{number}$" for number in range(61)]  # no formula
    draw_confusion(tmp_path / "many.png", np.eye(61, dtype=int), names)
    with Image.open(tmp_path / "many.png") as picture:
        assert min(picture.size) > 1800 > max(few)


def test_predictions_are_the_likeliest_first(tmp_path):
    scores = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]])
    write_predictions(tmp_path / "p.jsonl", ["P1", "P2"], ["P1_1", "P2_1"], "xyz", scores, 2)
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert lines[0] == {
        "product_id": "P1",
        "image_id": "P1_1",
        "classes": [{"name": "y", "probability": 0.5}, {"name": "z", "probability": 0.3}],
    }
    assert [entry["name"] for entry in lines[1]["classes"]] == ["x", "z"]


@pytest.mark.parametrize("layout", [KALEIDO, GRIDS[4]])
def test_yardstick_knows_kinds_by_photo_and_by_word(tmp_path, layout):
    tables = []
    for name, count in (("train", 24), ("valid", 9)):
        small_records.write(tmp_path / name, count, layout=layout)
        small_records.name_classes(tmp_path / name)
        files = find_files(str(tmp_path / name))
        tables.append(read_record_table(files, Vocabulary(), 9, small_records.FEATURE_SIZE))
    labels, asked = (
        labels_of(class_names(t, "subcatepred"), ("coat", "dress", "skirt"))[0] for t in tables
    )
    for modalities in ("both", "image", "text"):
        found = measure_yardstick(*tables, labels, 3, modalities, Vocabulary(), seed=1)
        assert (found.predictions == asked).mean() > 0.7, modalities
    features = read_images(tables[1], np.arange(9))[1].astype(np.float32)
    coarse = read_coarse_features(tables[1]).reshape(9, -1, small_records.FEATURE_SIZE)
    if layout is KALEIDO:
        np.testing.assert_array_equal(coarse, features[:, :5])
    else:  # the upper right quarter of sixteen patches
        corner = features[:, [2, 3, 6, 7]].mean(axis=1)
        np.testing.assert_allclose(coarse[:, 1], corner, atol=2e-3)


def test_yardstick_looks_at_photos_once_and_as_they_are(tmp_path):
    """With mirrored views beside them, whose features are others."""
    found = []
    for name, change in (("plain", lambda n: {}), ("viewed", small_records.viewed)):
        views, tables = 1 + (name == "viewed"), []
        for split, photos in (("train", 24), ("valid", 9)):
            folder = small_records.write(tmp_path / name / split, photos * views, change=change)
            files = find_files(str(folder))
            tables.append(read_record_table(files, Vocabulary(), 9, small_records.FEATURE_SIZE))
        labels = np.arange(24) % 3
        found.append(measure_yardstick(*tables, labels, 3, "both", Vocabulary(), seed=1))
    assert found[1].predictions.tolist() == found[0].predictions.tolist()
    assert found[1].vote == found[0].vote
