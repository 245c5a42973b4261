"""How figures of sides that take turns are made and printed."""

from benchmarks.rates import lines_of, rows_of, seconds_in_turns


def test_sides_take_turns_and_the_first_turn_does_not_count():
    order, seconds = [], {"a": iter([9.0, 1.0, 2.0]), "b": iter([8.0, 3.0, 4.0])}

    def side(name):
        order.append(name)
        return next(seconds[name])

    taken = seconds_in_turns({n: lambda n=n: side(n) for n in ("a", "b")}, turns=2)
    assert taken == {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    assert "".join(order) == "baabba"


def test_ratios_are_of_the_same_turn():
    first, second = rows_of({"ours": [1.0, 2.0, 4.0], "theirs": [2.0, 5.0, 6.0]}, count=10)
    assert (first["side"], first["per_second"], first["ratio"]) == ("ours", 5.0, 1.0)
    assert (second["per_second"], second["ratio"]) == (2.0, 2.0)  # of 2, 2.5 and 1.5
    assert second["ratios"] == [1.5, 2.0, 2.5]
    lines = lines_of("what", [first, second], "rows", lambda row: f"   of {row['side']}")
    assert lines[0] == "what"
    assert lines[1].split() == "ours 5.00 rows/s ours is 1.00 times as fast of ours".split()
    assert "2.00 rows/s   ours is 2.00 times as fast (1.50 to 2.50)   of theirs" in lines[2]
