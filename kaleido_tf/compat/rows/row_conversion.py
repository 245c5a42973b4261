"""Data files of the original to TFRecord shards and back: the work behind `convert_easytransfer`.

A row of the released size takes 790 to 1,040 KB as text, by how many numbers are 0, and 469 KB as
float32 (`benchmarks.run --only=reading`), and each text that is paired with an image repeats all of
it. Here a row is a `tf.train.Example` and, where that pays, each distinct image is stored once.
`kaleido_tf.compat.rows.row_files` reads such a folder as it reads the text. N = rows, M = distinct
images.
"""

import concurrent.futures
import dataclasses
import io
import os
import pathlib
import time
from collections.abc import Callable, Iterator

import numpy as np

from kaleido_tf.compat.rows import converted_rows
from kaleido_tf.compat.rows.input_schema import Column, format_schema
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.compat.rows.row_writing import encode_examples, encode_lines
from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import claim_folder
from kaleido_tf.files.input_files import visible_files
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.listed_shards import DATASET_JSON
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.files.whole_files import write_bytes, write_json
from kaleido_tf.progress import Progress

FLOAT_TYPES = ("float32", "float16")
SHARED_ROWS = 0.2
"""Images are stored apart if at least this share of the rows has an image that another row has too.
"""

_PLAN_NAME = "image_of_row.npy"
_ROWS_AT_ONCE = 16  # a row of the released size takes half a megabyte


@dataclasses.dataclass(frozen=True)
class Converted:
    """What a conversion did: rows, distinct images (None if they stand in the rows), bytes, and
    rows a second of this start.
    """

    rows: int
    images: int | None
    bytes_before: int
    bytes_after: int
    rows_per_second: float


def to_tfrecord(
    source: RowFiles, output_dir: str, float_type: str = "float32", rows_per_shard: int = 256
) -> Converted:
    """Writes `source` as shards and `dataset.json` into `output_dir`; finished shards of an earlier
    start are kept.

    Raises: InputError naming row and column for a value outside float16, or a folder of other
      settings.
    """
    if float_type not in FLOAT_TYPES:
        raise InputError(
            f"--float_type must be one of {', '.join(FLOAT_TYPES)}. Received: {float_type}"
        )
    if converted_rows.IMAGE_NUMBER.name in {column.name for column in source.schema}:
        raise InputError(
            f"--input_schema may have no column {converted_rows.IMAGE_NUMBER.name}: rows keep their"
            " image so"
        )
    start, folder = time.monotonic(), pathlib.Path(output_dir)
    settings = _settings(source, "tfrecord", rows_per_shard, float_type=float_type)
    claim_folder(folder, settings)
    if (folder / DATASET_JSON).is_file():
        print(f"{folder} is complete already: nothing to do", flush=True)
        return _converted(source, folder, read_json_object(folder / DATASET_JSON), start)
    image_of_row = _image_of_row(source, folder)
    half = {
        column.name
        for column in source.schema
        if float_type == "float16" and converted_rows.is_float_vector(column)
    }
    of_image = _image_columns(source.schema) if image_of_row is not None else []
    of_row = [column for column in source.schema if column not in of_image]

    def encode_rows(rows: np.ndarray) -> list[bytes]:
        columns, stored = _read(source, rows, of_row), list(of_row)
        if of_image:
            columns[converted_rows.IMAGE_NUMBER.name] = image_of_row[rows]
            stored.append(converted_rows.IMAGE_NUMBER)
        return encode_examples(
            columns, converted_rows.stored_columns(stored), lambda n: source.where(rows[n]), half
        )

    def encode_images(rows: np.ndarray) -> list[bytes]:
        columns = _read(source, rows, of_image)
        return encode_examples(
            columns, converted_rows.stored_columns(of_image), lambda n: source.where(rows[n]), half
        )

    first_rows = (
        np.unique(image_of_row, return_index=True)[1] if of_image else np.zeros(0, np.int64)
    )
    numbers = np.arange(len(source))
    with Progress(folder.name, len(source) + len(first_rows), "rows and images") as progress:
        image_shards = _write_shards(
            folder, "images", "tfrecord", first_rows, rows_per_shard, encode_images, progress
        )
        row_shards = _write_shards(
            folder, "rows", "tfrecord", numbers, rows_per_shard, encode_rows, progress
        )
    dataset = {
        **settings,
        "rows": len(source),
        "listed_count": source.listed_count,
        "images": len(first_rows) if of_image else None,
        "images_are": "records of their own" if of_image else "in the rows: too few rows share one",
        "image_columns": [column.name for column in of_image],
        "row_shards": row_shards,
        "image_shards": image_shards,
    }
    write_json(folder / DATASET_JSON, dataset)
    (folder / _PLAN_NAME).unlink(missing_ok=True)
    return _converted(source, folder, dataset, start)


def to_csv(source: RowFiles, output_dir: str, rows_per_shard: int = 256) -> Converted:
    """Writes `source` as text shards and, last, `rows.list_csv` with their number and names, as the
    original reads them.

    Raises: InputError for a text that a line cannot hold, or a folder of other settings.
    """
    start, folder = time.monotonic(), pathlib.Path(output_dir)
    there = visible_files(folder, ".csv") if folder.is_dir() else []
    foreign = [os.path.basename(file) for file in there]
    if foreign and not (folder / converted_rows.SETTINGS_NAME).is_file():
        raise InputError(
            f"{folder} holds rows of unknown origin ({foreign[0]}, ...). Use another --output_dir"
        )
    claim_folder(folder, _settings(source, "csv", rows_per_shard))

    def encode(rows: np.ndarray) -> list[bytes]:
        return encode_lines(
            _read(source, rows, source.schema), source.schema, lambda n: source.where(rows[n])
        )

    rows = np.arange(len(source))
    with Progress(folder.name, len(rows), "rows") as progress:
        shards = _write_shards(folder, "rows", "csv", rows, rows_per_shard, encode, progress)
    write_bytes(
        folder / "rows.list_csv", "".join(f"{line}\n" for line in (len(source), *shards)).encode()
    )
    return _converted(source, folder, {"row_shards": shards}, start)


def schema_of(pattern: str) -> tuple[Column, ...] | None:
    """The schema of a converted folder; None for anything else."""
    converted = converted_rows.find_converted(pattern)
    return converted.columns if converted else None


def _settings(source: RowFiles, to: str, rows_per_shard: int, **others) -> dict:
    """What decides the content of every shard."""
    return {
        "format": converted_rows.FORMAT if to == "tfrecord" else to,
        "input_schema": format_schema(source.schema),
        "source_digest": source.digest,
        "rows_per_shard": rows_per_shard,
        **others,
    }


def _converted(source: RowFiles, folder: pathlib.Path, dataset: dict, start: float) -> Converted:
    after = sum(
        (folder / name).stat().st_size
        for name in (*dataset["row_shards"], *dataset.get("image_shards", ()))
    )
    return Converted(
        len(source),
        dataset.get("images"),
        source.size,
        after,
        len(source) / max(time.monotonic() - start, 1e-6),
    )


def _read(source: RowFiles, rows: np.ndarray, columns: list[Column]) -> dict[str, np.ndarray]:
    return source.read(rows, {column.name for column in columns})


def _image_columns(schema: tuple[Column, ...]) -> list[Column]:
    return [column for column in schema if converted_rows.is_image_column(column)]


def _image_of_row(source: RowFiles, folder: pathlib.Path) -> np.ndarray | None:
    """[N] int64: the number of each row's image among the distinct ones, in order of first sight;
    None if sharing does not pay.

    Found by a first pass over all rows, which is kept for a second start.
    """
    columns = _image_columns(source.schema)
    if not columns:
        return None
    path = folder / _PLAN_NAME
    if path.is_file():
        image_of_row = np.load(path, allow_pickle=False)
    else:
        numbers: dict[bytes, int] = {}
        image_of_row = np.array(
            [numbers.setdefault(digest, len(numbers)) for digest in _digests(source, columns)],
            np.int64,
        )
        content = io.BytesIO()
        np.save(content, image_of_row, allow_pickle=False)
        write_bytes(path, content.getvalue())
    shared = (np.bincount(image_of_row)[image_of_row] > 1).mean()
    return image_of_row if shared >= SHARED_ROWS else None


def _digests(source: RowFiles, columns: list[Column]) -> Iterator[bytes]:
    """The digest of each row's image columns."""
    names = {column.name for column in columns}
    with Progress("looking for images that rows share", len(source), "rows") as progress:
        for shard in _batches(np.arange(len(source)), 64 * _ROWS_AT_ONCE):
            for digests in _in_threads(lambda rows: source.digests(rows, names), shard):
                yield from digests
            progress.done(len(shard))


def _batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]


def _in_threads(work: Callable, rows: np.ndarray) -> Iterator:
    """`work` on batches of `rows`, several at once, results in order."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(work, _batches(rows, _ROWS_AT_ONCE))


def _write_shards(
    folder: pathlib.Path,
    kind: str,
    suffix: str,
    rows: np.ndarray,
    per_shard: int,
    encode: Callable,
    progress: Progress,
) -> dict[str, int]:
    """Writes the shards of one kind that are not there yet; names and counts of all."""
    counts = {}
    shards = _batches(rows, per_shard)
    for number, shard in enumerate(shards):
        path = folder / f"{kind}-{number:05d}-of-{len(shards):05d}.{suffix}"
        if path.is_file():
            progress.skipped(len(shard))
        else:
            pieces = (piece for batch in _in_threads(encode, shard) for piece in batch)
            if suffix == "csv":
                write_bytes(path, b"".join(pieces))
            else:
                write_shard(path, pieces)
            progress.done(len(shard))
        counts[path.name] = len(shard)
    return counts
