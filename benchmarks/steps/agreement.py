"""That two sides compute the same step."""

import numpy as np

LARGEST = {"float32": 1e-4, "bfloat16": 3e-2}
"""How far a loss may differ between two sides, as a share of its value in the first step."""


def largest_difference(ours: list[dict], theirs: list[dict], largest: float) -> float:
    """How far the losses of the same steps lie apart, as a share of what each is in the first of
    them: after an update a loss may be all but 0, and a share of that says nothing.

    Raises: SystemExit if that is more than `largest`, or if the sides name different losses.
    """
    if any(set(a) != set(b) for a, b in zip(ours, theirs, strict=True)):
        raise SystemExit(f"both must have the same losses: {list(ours[0])} and {list(theirs[0])}")
    first, second = (
        np.array([[step[name] for name in sorted(ours[0])] for step in side])
        for side in (ours, theirs)
    )
    far = float((np.abs(first - second) / np.abs(second[:1])).max())
    if not far <= largest:
        raise SystemExit(f"they must agree within {largest}: {ours} and {theirs}")
    return far
