"""Whether records and a model have one vocabulary: ids of the one mean nothing to the other."""

import itertools
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.text import Vocabulary


def check_vocabulary(folder: str | pathlib.Path, vocabulary: Vocabulary) -> None:
    """Holds the word pieces that the records in `folder` were made with against a model's.

    By the digest in `dataset.json`; files that differ in bytes alone (line ends), and those beside
    records that say no digest, are compared piece by piece. Records that say nothing of their
    vocabulary and have none beside them are let pass.
    Raises: InputError naming both and the first piece that differs.
    """
    folder = pathlib.Path(folder)
    digest = read_dataset_json(folder).get("vocabulary_digest")
    beside = folder / "vocab.txt"
    if digest == vocabulary.digest or (digest is None and not beside.is_file()):
        return
    place = _first_difference(Vocabulary(beside), vocabulary) if beside.is_file() else "unknown"
    if place is not None:
        raise InputError(
            f"The records in {folder} were made with another vocabulary than {vocabulary.path}"
            f" (first difference: {place}). Write the records again with --vocab of that file, or"
            " use a model of their vocabulary"
        )


def _first_difference(theirs: Vocabulary, ours: Vocabulary) -> str | None:
    pairs = itertools.zip_longest(theirs.tokens, ours.tokens, fillvalue="nothing")
    for line, (their, our) in enumerate(pairs, start=1):
        if their != our:
            return f"line {line}, {their} of the records, {our} of the model"
    return None
