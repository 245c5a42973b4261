"""The photos of records as blocks of an index: their vectors, and the fields that filters and
results show.
"""

import os
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from kaleido_tf.command_line.vector_model import VectorModel
from kaleido_tf.data.class_labels import LISTS, class_names
from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.evaluation.vectors import mean_of_views
from kaleido_tf.progress import Progress
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.record import Record
from kaleido_tf.records.shards import read_shard
from kaleido_tf.search.block import Block

NAMES = {"category": "catepred", "subcategory": "subcatepred"}
"""Field -> what the list of its names is called (data/class_labels.py)."""


def blocks_of_records(
    model: VectorModel, table: RecordTable, more: Mapping[str, Mapping] | None = None
) -> Callable[[int], Iterator[Block]]:
    """What `write_index` asks for: a block for each shard. A photo in several views has the mean of
    their vectors.

    Args: more: product id -> further fields of it.
    """
    said = [read_dataset_json(os.path.dirname(file) or ".") for file in table.files]
    named = {
        field: class_names(table, task)
        for field, task in NAMES.items()
        if all(LISTS[task] in content for content in said)
    }

    def blocks(done: int) -> Iterator[Block]:
        photos, shown = _photos_of_shards(table), 0
        with Progress("embedding", sum(photos), "photos") as progress:
            for number, path in enumerate(table.files):
                if photos[number] and shown + photos[number] > done:
                    first = int(table.file_starts[number])
                    yield _block(model, read_shard(path), named, first, more or {}, done - shown)
                shown += photos[number]
                progress.done(photos[number])

    return blocks


def _photos_of_shards(table: RecordTable) -> list[int]:
    return [
        len(set(table.image_ids[start:end]))
        for start, end in zip(table.file_starts, table.file_starts[1:])
    ]


def _block(
    model: VectorModel,
    records: list[Record],
    named: dict[str, np.ndarray],
    first: int,
    more: Mapping[str, Mapping],
    skipped: int,
) -> Block:
    """Of a shard's records. Args: first: its first record in the table. skipped: photos of it that
    the index holds already.
    """
    vectors = model.vectors.of_photos(
        np.stack([record.block("patch_features") for record in records]),
        np.stack([record.boxes for record in records]),
    )
    photos: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        photos.setdefault(record.image_id, []).append(number)
    chosen = list(photos.values())[max(skipped, 0) :]
    means = mean_of_views(vectors, chosen)
    return Block(
        [records[views[0]].product_id for views in chosen],
        [records[views[0]].image_id for views in chosen],
        [_fields(records[v[0]], named, first + v[0], more) for v in chosen],
        means,
        model.vectors.hubness_of_photos(means) if model.vectors.corrects_hubs else None,
    )


def _fields(record: Record, named: dict, row: int, more: Mapping[str, Mapping]) -> dict:
    own = {"title": record.title, "text": record.text}
    own |= {field: str(names[row]) for field, names in named.items()}
    return {**more.get(record.product_id, {}), **own}
