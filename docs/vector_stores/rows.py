"""The rows of `embeddings.parquet` (docs/index_format.md) as vector stores take them.

A store's `vector` has D + 1 components: (2v, -hubness), or (v, 0) of an index that is not corrected
for hubs. Asked by (q, 1), the inner product is the project's score, 2 * cosine - hubness or the
cosine. D = size of a vector.
"""

import importlib
import json
import pathlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kaleido_tf.errors import InputError

FOLDER = pathlib.Path(__file__).parent
"""Of the schema files."""


def client_library(name: str, package: str):
    """A store's client. Raises: InputError where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"Needed: pip install {package}. Received: {error}") from None


def open_parquet(path: str) -> pq.ParquetFile:
    """Raises: InputError for a file that `write_parquet` has not written."""
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            f"--parquet must be an index's embeddings.parquet. Received: {path}: {error}"
        ) from None
    if b"kaleido_tf" not in (file.schema_arrow.metadata or {}):
        raise InputError(f"--parquet must be an index's embeddings.parquet. Received: {path}")
    return file


def components(file: pq.ParquetFile) -> int:
    """D + 1."""
    return json.loads(file.schema_arrow.metadata[b"kaleido_tf"])["dimension"] + 1


def batches(file: pq.ParquetFile, size: int = 256) -> Iterator[list[dict]]:
    """Rows: `id`, `product_id`, `vector` [D + 1], and the product's fields without nulls."""
    for batch in file.iter_batches(size):
        columns = {name: batch.column(name) for name in batch.schema.names}
        vectors = _with_hubness(columns.pop("vector"), columns.pop("hubness", None))
        rows = pa.table(columns).to_pylist()
        yield [
            {**{name: value for name, value in row.items() if value is not None}, "vector": vector}
            for row, vector in zip(rows, vectors.tolist())
        ]


def _with_hubness(vectors: pa.ListArray, hubness: pa.Array | None) -> np.ndarray:
    found = vectors.flatten().to_numpy().reshape(len(vectors), -1)
    if hubness is None:
        return np.pad(found, [(0, 0), (0, 1)])
    return np.column_stack([2 * found, -hubness.to_numpy()])


def asked(query: np.ndarray) -> list[float]:
    """[D + 1], what a store is asked for a query [D] of length 1."""
    return [*np.asarray(query, np.float32).tolist(), 1.0]


def filled(name: str, **values) -> str:
    """A schema file's text with its placeholders filled: `$COMPONENTS` by `COMPONENTS=`."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f'"${key}"', json.dumps(value)).replace(f"${key}", str(value))
    return text


def filled_json(name: str, **values):
    """`filled`, read as JSON."""
    return json.loads(filled(name, **values))
