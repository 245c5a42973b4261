"""What a request may ask at most: everything that comes in is held against these before it costs
anything.
"""

TEXT = 500
"""Characters of words."""
FILTER = 2000
"""Characters."""
IDENTIFIER = 500
"""Characters of the id of a product or a photo."""
TOP = 96
"""Products."""
RERANK = 96
"""Products that the whole model scores again."""
PHOTO_BYTES = 12 << 20
PHOTO_PIXELS = 25_000_000
"""Width times height of a photo that is sought with, by its header."""
SMALLEST, LARGEST = 32, 1600
"""Long side of a photo that is shown, in pixels."""

CONNECTIONS = 256
"""Open at once; more are sent away."""
BACKLOG = 128
"""Connections that wait to be accepted."""
REQUEST_SECONDS = 20.0
"""For the line and the headers of a request, the wait for them on an open connection included; then
as long again for its body, and as long again for its answer to be taken.
"""
TURN_SECONDS = 60.0
"""Longest wait for the turn of a search."""
DRAINED_BYTES = 64 << 20
DRAINED_SECONDS = 3.0
"""What is read and thrown away of a body that was refused, so that its sender sees why."""


def as_json() -> dict[str, int]:
    """Those that a page needs to know before it asks."""
    return {
        "text": TEXT,
        "top": TOP,
        "rerank": RERANK,
        "photo_bytes": PHOTO_BYTES,
        "photo_pixels": PHOTO_PIXELS,
    }
