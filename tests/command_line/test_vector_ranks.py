"""What vectors found before and after training: kept, read back, and compared."""

import pytest

from kaleido_tf.command_line.vector_ranks import Found, read_yardstick, verdicts, write_yardstick
from kaleido_tf.errors import InputError

BEFORE = {
    "img2txt full_recall_at_1": Found(["a", "a", "b", "c"], [0.0, 1.0, 0.0, 0.5]),
    "img2txt Rank@1": Found(["1", "2", "3"], [1.0, 0.0, 0.0]),
}


def test_a_yardstick_is_kept_and_read_back(tmp_path):
    write_yardstick(tmp_path, BEFORE)
    assert read_yardstick(tmp_path) == BEFORE
    with pytest.raises(InputError, match="needs its yardstick.json, .* Not found in .*none"):
        read_yardstick(tmp_path / "none")


def test_verdicts_are_of_the_same_queries():
    after = {name: Found(each.queries, [1.0] * len(each.first)) for name, each in BEFORE.items()}
    found = verdicts(BEFORE, after)
    assert list(found) == list(BEFORE)
    first = found["img2txt full_recall_at_1"]
    assert (first.yardstick, first.model, first.examples) == (0.375, 1.0, 4)
    assert first.word == "better"
    assert verdicts(BEFORE, BEFORE)["img2txt Rank@1"].word == "no difference"
    other = {**after, "img2txt Rank@1": Found(["1", "2", "4"], [1.0, 1.0, 1.0])}
    with pytest.raises(InputError, match="yardstick.json must be of the records .* of others"):
        verdicts(BEFORE, other)
