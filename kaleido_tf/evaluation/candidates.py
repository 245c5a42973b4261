"""Candidate lists: the pairs of a text and an image that a model is to score.

N = pairs.
"""

import dataclasses
import json
import os

import numpy as np

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.errors import InputError
from kaleido_tf.evaluation.rank_metrics import DIRECTIONS
from kaleido_tf.files.text_files import read_lines


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs to be scored: record numbers of the text's and the image's side [N] int (of a photo in
    several views its plain record, see `photo_views`), labels [N]
    bool (the image's own text, word for word), and the number of the candidate list that each pair
    stands in [N] int. `equal_texts`: how many pairs are right by their text alone, as two products
    share it.
    """

    texts: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    lists: np.ndarray
    equal_texts: int = 0


def read_candidate_pairs(path: str | os.PathLike, direction: str, table: RecordTable) -> Pairs:
    """The pairs of a candidate file (data_prep.write_retrieval_candidates), list after list.

    A candidate with the very text of the truth is no wrong answer, whatever the list calls it.

    Raises: InputError naming the line for a broken line, an id that the records do not hold, or the
      other direction.
    """
    if direction not in DIRECTIONS:
        raise InputError(f"--type must be one of {', '.join(DIRECTIONS)}. Received: {direction}")
    if not os.path.isfile(path):
        raise InputError(
            f"Candidate lists (data_prep.write_retrieval_candidates) are needed. Not found: {path}"
        )
    images = {image: records[0] for image, records in table.records_of_photos().items()}
    products = {product: number for number, product in reversed(list(enumerate(table.product_ids)))}
    query_index, candidate_index = (
        (images, products) if direction == "img2txt" else (products, images)
    )
    queries, candidates, labels, lists = [], [], [], []
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path} line {number}"
        entry = _parse_line(line, where)
        query = _find(entry["query"], query_index, where, direction)
        for candidate in entry["candidates"]:
            queries.append(query)
            candidates.append(_find(candidate, candidate_index, where, direction))
            labels.append(candidate == entry["positive"])
            lists.append(number)
    if not queries:
        raise InputError(f"Candidate lists are needed. {path} holds none")
    sides = (candidates, queries) if direction == "img2txt" else (queries, candidates)
    texts, seen = (np.array(side, np.int32) for side in sides)
    named = np.array(labels)
    same = table.whole_texts[texts] == table.whole_texts[seen]
    return Pairs(texts, seen, named | same, np.array(lists), int((same & ~named).sum()))


def _parse_line(line: str, where: str) -> dict:
    try:
        entry = json.loads(line)
        named = {name: entry[name] for name in ("query", "positive", "candidates")}
        if not _is_list_of_ids([named["query"], named["positive"]]):
            raise TypeError("ids are texts")
        if not _is_list_of_ids(named["candidates"]):
            raise TypeError("candidates are a list of ids")
        return named
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{where}: needed {{query, positive, candidates}} as JSON. Received: {line[:80]!r}"
            f" ({error})"
        ) from error


def _is_list_of_ids(value) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _find(identifier: str, index: dict[str, int], where: str, direction: str) -> int:
    if identifier not in index:
        raise InputError(
            f"{where}: {identifier!r} is not in the records (is this the {direction} file of these"
            " records?)"
        )
    return index[identifier]
