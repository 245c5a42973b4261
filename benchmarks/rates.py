"""What is measured against what: sides take turns, ratios are of the same turn, and the median
counts.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np


def seconds_of(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def seconds_in_turns(
    sides: Mapping[str, Callable[[], float]], turns: int
) -> dict[str, list[float]]:
    """Seconds of every side, turn after turn, after a turn that does not count; every second one
    begins with the last side.

    Args: sides: name -> what does the work and gives its seconds.
    """
    seconds = {side: [] for side in sides}
    for turn in range(turns + 1):
        for side in list(sides) if turn % 2 else reversed(sides):
            taken = sides[side]()
            if turn:
                seconds[side].append(taken)
    return seconds


def rows_of(seconds: Mapping[str, Sequence[float]], count: int) -> list[dict]:
    """A dict a side: `side`, `per_second` (of the median turn), `ratio` (how many times as fast the
    first side is, the median over the turns), `ratios` (of all turns, sorted).

    Args: seconds: of each side, turn by turn; the first is ours. count: of what is made in a turn.
    """
    ours = np.array(next(iter(seconds.values())))
    rows = []
    for side, taken in seconds.items():
        ratios = np.array(taken) / ours
        rows.append(
            {
                "side": side,
                "per_second": count / float(np.median(taken)),
                "ratio": float(np.median(ratios)),
                "ratios": sorted(ratios.tolist()),
            }
        )
    return rows


def lines_of(
    title: str, rows: Sequence[dict], unit: str, further: Callable[[dict], str] = lambda row: ""
) -> list[str]:
    """The lines that are printed of a comparison. Args: further: what else is said of a row."""
    width = max(len(row["side"]) for row in rows)
    lines = [title]
    for number, row in enumerate(rows):
        ratios = row["ratios"]
        spread = f" ({ratios[0]:.2f} to {ratios[-1]:.2f})" if number else ""
        lines.append(
            f"  {row['side']:{width}s} {row['per_second']:9.2f} {unit}/s"
            f"   {rows[0]['side']} is {row['ratio']:.2f} times as fast{spread}{further(row)}"
        )
    return lines
