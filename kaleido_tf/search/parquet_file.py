"""An index as one Parquet file, for vector stores that import such (Milvus, Pinecone, data bases).

Columns: `id` string (the image id), `product_id` string, `vector` list<float32> of length 1,
`hubness` float32 (only of an index that is corrected for hubs), then the fields by name: string,
int64, double or bool, or list<string> where an item has a list; numbers, truth values and texts in
one field become texts. Items without a field, or with null, have null. Rows that are gone are left
out. The file's metadata hold the manifest as JSON under `kaleido_tf`.
"""

import dataclasses
import json
import os
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import appears_whole
from kaleido_tf.search.filters import as_text
from kaleido_tf.search.index_folder import Index

NAME = "embeddings.parquet"
"""Of the file beside an index."""
_OWN = ("id", "product_id", "vector", "hubness")
_INT64 = range(-(2**63), 2**63)


def write_parquet(index: Index, path: str | os.PathLike, rows_per_group: int = 10_000) -> int:
    """Writes a file; appears whole or not at all. At most `rows_per_group` rows are in memory.

    Returns: the number of rows. Raises: InputError for a field that is called as a column of ours,
      and if the disk refuses.
    """
    taken = sorted({*index.manifest.fields} & {*_OWN})
    if taken:
        raise InputError(
            f"Fields of {index.folder} must not be called {', '.join(_OWN)} in a Parquet file."
            f" Received: {', '.join(taken)}"
        )
    schema = parquet_schema(index)
    with appears_whole(path) as partial, pq.ParquetWriter(partial, schema) as writer:
        for first, vectors, hubness in index.blocks(rows_per_group):
            kept = np.flatnonzero(index.alive[first : first + len(vectors)])
            if len(kept):
                items = [index.items[first + place] for place in kept]
                of_hubs = None if hubness is None else hubness[kept]
                writer.write_table(_table(items, vectors[kept], of_hubs, schema))
    return int(index.alive.sum())


def parquet_schema(index: Index) -> pa.Schema:
    """The columns of an index, see the module; types are those that hold all values of a field."""
    columns = {"id": pa.string(), "product_id": pa.string(), "vector": pa.list_(pa.float32())}
    if index.manifest.corrected_for_hubs:
        columns["hubness"] = pa.float32()
    kinds: dict[str, set] = {name: set() for name in index.manifest.fields}
    for item, alive in zip(index.items, index.alive):
        for name in kinds if alive else ():
            kinds[name].add(_kind(item.get(name)))
    columns |= {name: _type_of(found - {None}) for name, found in kinds.items()}
    content = json.dumps(dataclasses.asdict(index.manifest), ensure_ascii=False)
    return pa.schema(columns, metadata={"kaleido_tf": content})


def _kind(value) -> type | None:
    if value is None:
        return None
    if isinstance(value, int) and value not in _INT64:
        return str
    return type(value)


def _type_of(kinds: set) -> pa.DataType:
    if list in kinds:
        return pa.list_(pa.string())
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    if kinds and kinds <= {int, float}:
        return pa.float64()
    return pa.string()


def _table(items: Sequence[dict], vectors: np.ndarray, hubness, schema: pa.Schema) -> pa.Table:
    flat = pa.array(np.asarray(vectors, np.float32).reshape(-1))
    ends = np.arange(len(items) + 1, dtype=np.int32) * vectors.shape[1]
    columns = {"id": [item["image_id"] for item in items], "hubness": hubness}
    columns["vector"] = pa.ListArray.from_arrays(pa.array(ends), flat)
    for field in schema:
        if field.name not in columns:
            columns[field.name] = [_as(field.type, item.get(field.name)) for item in items]
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _as(kind: pa.DataType, value):
    if value is None:
        return None
    if pa.types.is_list(kind):
        parts = value if isinstance(value, list) else [value]
        return [None if part is None else as_text(part) for part in parts]
    return as_text(value) if pa.types.is_string(kind) else value
