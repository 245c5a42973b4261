"""What counts as right, and as chance, where the truth is known."""

import pytest

from benchmarks.alignment_precision import judge, level_of, surest_of, true_patches
from data_prep.alignment.named_boxes import NamedBox
from kaleido_tf.records.record import Record, serialize_record
from kaleido_tf.text import Tokenizer, Vocabulary
from tests import small_records

CROP = (3, 37, 5, 55)  # of small_records: x1, x2, y1, y2
VOCABULARY = Vocabulary()
PARTS = [  # a skirt that fills the crop, and a belt in the upper left ninth of it
    {"word": "skirt", "box": [3, 5, 37, 55]},
    {"word": "belt", "box": [3, 5, 3 + 34 / 3, 5 + 50 / 3]},
]


def record(pairs):
    text = "a red skirt with a belt"
    tokens, patches = zip(*pairs)
    fields = small_records.fields_of(
        0,
        token_ids=Tokenizer(VOCABULARY)([text])[0],
        alignment_tokens=tokens,
        alignment_patches=patches,
        alignment_scores=[0.25 * (n + 1) for n in range(len(pairs))],
    )
    return Record.parse(serialize_record(fields))


def test_patches_of_a_box():
    truth = true_patches([NamedBox("belt", tuple(PARTS[1]["box"]), 1.0)], CROP)
    assert {patch for patch in truth["belt"] if level_of(patch) == "camouflage"} == {5}
    assert 14 in truth["belt"] and 30 in truth["belt"] and 54 not in truth["belt"]


def test_verdicts_of_pairs():
    # red (no box), belt at its patch of level 3, belt elsewhere in level 5, skirt anywhere
    verdicts = list(judge(record([(1, 7), (5, 5), (5, 54), (2, 20)]), PARTS, VOCABULARY))
    assert verdicts[0] is None
    assert verdicts[1] == ("skirt", False, "grey_to_color", True, 1.0, 1.0)
    assert verdicts[2] == ("belt", True, "camouflage", True, pytest.approx(1 / 9), 0.5)
    assert verdicts[3][:4] == ("belt", True, "blank_to_color", False) and 0 < verdicts[3][4] < 0.2


def test_surest_pairs_come_first():
    verdicts = [("belt", True, "camouflage", n > 4, 0.1, n / 8) for n in range(8)]
    shares = surest_of(verdicts)
    assert [share for share, _ in shares] == [0.25, 0.5, 0.75]
    assert [sum(v[3] for v in surest) for _, surest in shares] == [2, 3, 3]
    assert surest_of([]) == []
