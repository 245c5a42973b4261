"""Adds, replaces and deletes products of an index without building it anew, and makes it one piece
again.

A change writes new files, then replaces the manifest: killed before that, it has not happened. An
index that is open stays as it was when it was opened.
"""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Collection, Iterable, Iterator

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import appears_whole
from kaleido_tf.search.block import Block
from kaleido_tf.search.index_folder import Index, open_index
from kaleido_tf.search.index_writing import SegmentWriter, changing
from kaleido_tf.search.manifest import Manifest, Segment, publish

_ROWS = 4096


def add_products(folder: str | os.PathLike, blocks: Iterable[Block], model: str) -> Manifest:
    """Adds photos; a product that is there already is replaced, with all of its photos.

    Args: model: digest of what made the vectors.
    Raises: InputError for vectors of another model, a block that `check_block` refuses, no block at
      all; the index is then as it was before.
    """
    folder = pathlib.Path(folder)
    with changing(folder):
        index = open_index(folder)
        before = index.manifest
        if model != before.model:
            raise InputError(
                f"{folder} needs vectors of the model {before.model}. Received: those of {model}"
            )
        writer, products = _written(folder, before, blocks)
        replaced, _ = index.rows_of(products)
        gone = np.union1d(np.flatnonzero(~index.alive), replaced)
        return _publish(
            folder,
            before,
            gone,
            count=before.count + writer.rows,
            fields=tuple(sorted({*before.fields, *writer.fields})),
            segments=(*before.segments, writer.segment()),
        )


def _written(folder: pathlib.Path, before: Manifest, blocks) -> tuple[SegmentWriter, set[str]]:
    """The closed writer of a new segment, and the products in it."""
    products: set[str] = set()
    writer = SegmentWriter(folder, f"segment-{before.generation + 1:06d}", before)
    try:
        with writer:
            for block in blocks:
                writer.append(block)
                products.update(block.product_ids)
        if not writer.rows:
            raise InputError("At least one photo to add is needed. Received: none")
    except BaseException:
        writer.remove()
        raise
    return writer, products


def delete_products(folder: str | os.PathLike, product_ids: Collection[str]) -> Manifest:
    """Takes products out, with all of their photos. Raises: InputError naming those that are not
    there; nothing is deleted then.
    """
    folder = pathlib.Path(folder)
    with changing(folder):
        index = open_index(folder)
        rows, missing = index.rows_of(product_ids)
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise InputError(
                f"Products of {folder} are needed. Not there: {', '.join(missing[:5])}{more}"
            )
        gone = np.union1d(np.flatnonzero(~index.alive), rows)
        return _publish(folder, index.manifest, gone)


def store_calibration(folder: str | os.PathLike, calibration: dict | None) -> Manifest:
    """Keeps what calibration.py fitted in the manifest. No product changes, and so the generation
    stays.
    """
    folder = pathlib.Path(folder)
    with changing(folder):
        manifest = dataclasses.replace(open_index(folder).manifest, calibration=calibration)
        publish(folder, manifest)
        return manifest


def _publish(folder: pathlib.Path, before: Manifest, gone: np.ndarray, **changed) -> Manifest:
    """The next generation, with the rows `gone` [n]."""
    generation = before.generation + 1
    name = f"deleted-{generation:06d}.npy" if len(gone) else None
    if name:
        with appears_whole(folder / name) as partial, partial.open("wb") as file:
            np.save(file, np.asarray(gone, np.int64))
    changed |= {"generation": generation, "deleted": len(gone), "tombstones": name}
    manifest = dataclasses.replace(before, **changed)
    publish(folder, manifest)
    return manifest


def compact(folder: str | os.PathLike) -> Manifest:
    """Brings an index into the form of a fresh one: one `embeddings.npy`, `items.jsonl` and
    `hubness.npy`, without the rows that are gone. The others keep their order.

    Takes the space of both until it is finished. Raises: InputError if no photo would be left.
    """
    folder = pathlib.Path(folder)
    with changing(folder):
        index = open_index(folder)
        before = index.manifest
        if not index.alive.any():
            raise InputError(f"All products of {folder} are deleted; an index needs at least one")
        if len(before.segments) > 1 or before.deleted:
            name = f"segment-{before.generation + 1:06d}"
            with SegmentWriter(folder, name, before) as writer:
                for lines, vectors, hubness in _living(index):
                    writer.append_lines(lines, vectors, hubness)
            segment = writer.segment()
            before = _publish(folder, before, np.array([]), count=writer.rows, segments=(segment,))
        return _plainly_named(folder, before)


def _living(index: Index) -> Iterator[tuple]:
    for start, vectors, hubness in index.blocks(_ROWS):
        kept = np.flatnonzero(index.alive[start : start + len(vectors)])
        lines = index.items.raw_lines(start + kept)
        yield lines, vectors[kept], None if hubness is None else hubness[kept]


def _plainly_named(folder: pathlib.Path, before: Manifest) -> Manifest:
    """The one segment under the names of a fresh index.

    The manifest lists a file under one name or the other at every moment, so both are there for a
    while.
    """
    (segment,) = before.segments
    plain = {"vectors": "embeddings.npy", "items": "items.jsonl", "hubness": "hubness.npy"}
    names = {kind: plain[kind] for kind in plain if getattr(segment, kind)}
    if segment.vectors == names["vectors"]:
        return before
    for kind, name in names.items():
        with appears_whole(folder / name) as partial:
            _same_file(folder / getattr(segment, kind), partial)
    sizes = {name: segment.sizes[getattr(segment, kind)] for kind, name in names.items()}
    named = Segment(**{"hubness": None, **names}, count=segment.count, sizes=sizes)
    return _publish(folder, before, np.array([]), segments=(named,))


def _same_file(source: pathlib.Path, target: pathlib.Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # some file systems know no second name
        shutil.copyfile(source, target)
