"""The views in which a photo is recorded: each is a record of its own, with the photo's ids and
text.
"""

import numpy as np

from kaleido_tf.errors import InputError

VIEWS = ("plain", "mirrored")
"""The names, by the number that a record gives for its own."""
PLAIN, MIRRORED = range(len(VIEWS))


def checked_views(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of --views in the order of `VIEWS`.

    Raises: InputError unless they are known, each named once, and `plain` among them.
    """
    unknown = [name for name in names if name not in VIEWS]
    if unknown or len(set(names)) < len(names) or VIEWS[PLAIN] not in names:
        raise InputError(
            f"--views must be {VIEWS[PLAIN]} and what else of {', '.join(VIEWS)}, each once."
            f" Received: {','.join(names) or 'none'}"
        )
    return tuple(name for name in VIEWS if name in names)


def pixels_of_view(pixels: np.ndarray, view: int) -> np.ndarray:
    """Crops [..., h, w, 3] as a view shows them, of the same shape.

    Args: view: its place in `VIEWS`.
    """
    return np.ascontiguousarray(pixels[..., ::-1, :]) if view == MIRRORED else pixels
