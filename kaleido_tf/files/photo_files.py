"""Photos that are named without their ending, or with another than their file has."""

import os

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""In the order in which they are tried."""


def find_photo(folder: str | os.PathLike, name: str) -> str | None:
    """The file in `folder` that is called `name`, or `name` with an ending of a photo in place of
    its own, or after it; None if there is none.
    """
    path = os.path.join(folder, name)
    stem, ending = os.path.splitext(path)
    stem = stem if ending.lower() in ENDINGS else path  # of "v1.2" the end is no ending
    candidates = (path if ending else "", *(stem + each for each in ENDINGS))
    return next((file for file in candidates if os.path.isfile(file)), None)
