"""An index, opened: the vectors of a catalogue's photos and what they are photos of.

N = photos stored, D = size of a vector. A folder of `embeddings.npy` [N, D] float16 or float32 (row
i is item i, of length 1), `items.jsonl` (a line a row: `product_id`, `image_id` and the product's
fields), `hubness.npy` [N] float32 (optional; subtracted from twice the cosine) and `manifest.json`.
Changes add segments of the same three files and a list of rows that are gone
(docs/index_format.md); here they are one sequence of rows.
"""

import functools
import os
import pathlib
from collections.abc import Collection, Iterator

import numpy as np

from kaleido_tf.errors import InputError
from kaleido_tf.search.items import Items
from kaleido_tf.search.manifest import Manifest, Segment, check_sizes, read_manifest

_ATTEMPTS = 10
MAPPED_FROM = 1 << 20
"""Bytes of the smallest array that is memory-mapped. Smaller files are read: else an index of a few
hundred small changes would keep more files open than a process may.
"""


def open_index(folder: str | os.PathLike) -> "Index":
    """The index as it is now; later changes are seen by those who open it later.

    Raises: InputError for a folder that holds none, a half-written one, or files that are not those
      of its manifest, and says what to do.
    """
    folder = pathlib.Path(folder)
    for _ in range(_ATTEMPTS):
        manifest = read_manifest(folder)
        try:
            index, fault = Index(folder, manifest), None
        except (InputError, OSError) as error:
            index, fault = None, error
        # files may have been replaced between the manifest and the last of them
        if read_manifest(folder).generation == manifest.generation:
            if fault:
                raise fault
            return index
    raise InputError(f"{folder} is changed all the time; it could not be opened")


class Index:
    """Open with `open_index`.

    Attributes: `folder`; `manifest`; `dimension` D; `items` (see items.py); `alive` [N] bool, False
      for rows that are gone.
    """

    def __init__(self, folder: pathlib.Path, manifest: Manifest):
        self.folder, self.manifest, self.dimension = folder, manifest, manifest.dimension
        check_sizes(folder, manifest.segments)
        self._vectors = [self._array(s, s.vectors, (s.count, self.dimension)) for s in self._parts]
        self._hubness = [self._array(s, s.hubness, (s.count,)) for s in self._parts if s.hubness]
        if len(self._hubness) != manifest.corrected_for_hubs * len(self._parts):
            raise InputError(f"{folder}: hubness of some photos is missing. Write the index anew")
        self.items = Items([(folder / s.items, s.count) for s in self._parts], MAPPED_FROM)
        self.alive = self._alive()

    @property
    def _parts(self) -> tuple[Segment, ...]:
        return self.manifest.segments

    def __len__(self):
        return self.manifest.count

    def _array(self, segment: Segment, name: str, shape: tuple) -> np.ndarray:
        dtype = self.manifest.dtype if name == segment.vectors else "float32"
        mapped = segment.sizes[name] >= MAPPED_FROM
        array = _loaded(self.folder / name, "r" if mapped else None)
        if array.shape != shape or array.dtype != dtype:
            raise InputError(
                f"{self.folder / name}: needed {dtype} of shape {list(shape)}. Received:"
                f" {array.dtype} of shape {list(array.shape)}. Write the index anew"
            )
        return array

    def _alive(self) -> np.ndarray:
        alive = np.ones(len(self), bool)
        if self.manifest.tombstones:
            path = self.folder / self.manifest.tombstones
            rows = _loaded(path, None)
            if rows.dtype != np.int64 or rows.ndim != 1 or np.any((rows < 0) | (rows >= len(self))):
                raise InputError(f"{path} must list rows of the index. Write the index anew")
            alive[rows] = False
        if int((~alive).sum()) != self.manifest.deleted:
            raise InputError(
                f"{self.folder}: needed {self.manifest.deleted} rows that are gone. Received:"
                f" {int((~alive).sum())}. Write the index anew"
            )
        return alive

    def blocks(self, size: int) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
        """All rows in order, `size` or fewer at once: (first row, vectors [n, D] as stored,
        hubness [n] or None), views of the files.
        """
        first = 0
        for number, vectors in enumerate(self._vectors):
            hubness = self._hubness[number] if self._hubness else None
            for start in range(0, len(vectors), size):
                part = slice(start, start + size)
                yield first + start, vectors[part], None if hubness is None else hubness[part]
            first += len(vectors)

    def vectors_of(self, rows: np.ndarray) -> np.ndarray:
        """[n, D] as stored, of rows [n]."""
        return self._of(rows, self._vectors, (self.dimension,), self.manifest.dtype)

    def hubness_of(self, rows: np.ndarray) -> np.ndarray:
        """[n] float32 of rows [n]; the index must be corrected for hubs."""
        return self._of(rows, self._hubness, (), "float32")

    def _of(self, rows, arrays, rest: tuple, dtype: str) -> np.ndarray:
        found = np.empty((len(rows), *rest), dtype)
        firsts = np.cumsum([0, *map(len, arrays)])
        places = np.searchsorted(firsts, rows, "right") - 1
        for place in np.unique(places):
            here = places == place
            found[here] = arrays[place][rows[here] - firsts[place]]
        return found

    @functools.cached_property
    def products(self) -> np.ndarray:
        """[N] int32, equal for photos of one product."""
        return self.items.column("product_id").codes

    @functools.cached_property
    def photos_of_products(self) -> np.ndarray:
        """[products ever stored] int: how many photos each has now."""
        counts = len(self.items.column("product_id").values)
        return np.bincount(self.products[self.alive], minlength=counts)

    def rows_of(self, product_ids: Collection[str]) -> tuple[np.ndarray, list[str]]:
        """([n] rows of these products, those of them that the index does not hold)."""
        codes = {
            value[0]: code for code, value in enumerate(self.items.column("product_id").values)
        }
        known = [codes[product] for product in product_ids if product in codes]
        wanted = np.zeros(len(codes), bool)
        wanted[known] = True
        wanted &= self.photos_of_products > 0
        missing = [p for p in product_ids if p not in codes or not wanted[codes[p]]]
        return np.flatnonzero(wanted[self.products] & self.alive), missing


def _loaded(path: pathlib.Path, mode: str | None) -> np.ndarray:
    try:
        return np.load(path, mmap_mode=mode, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path} is no .npy file: {error}. Write the index anew") from error
