"""Catalogues to records: photos and texts prepared once, before any training."""

import kaleido_tf  # noqa: F401  (first of all: it sets the environment that libraries read)
