"""Convolutional maps of product crops, for what looks at places (Show, Attend and Tell, section
3.1.1: annotation vectors).

The crop is the one that the kaleido patches were cut from, resized to a square, so that a cell
covers the same share of every crop. Maps are computed once and kept on disk as float16, a file for
each shard of records. M = cells a side, F = channels.
"""

import bisect
import concurrent.futures
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import cv2
import numpy as np

from data_prep.features.backbones import Backbone
from data_prep.features.input_sizes import MOST_PIXELS
from data_prep.record_writing.record_photos import RecordPhotos
from kaleido_tf.errors import InputError
from kaleido_tf.files.whole_files import appears_whole
from kaleido_tf.progress import Progress
from kaleido_tf.records.record import Record
from kaleido_tf.records.shards import read_photos

_BATCH = 16
_FLOAT16_MOST = float(np.finfo(np.float16).max)


def pixels_for(backbone: Backbone, cells: int) -> int:
    """The side in pixels of the largest square whose map has `cells` cells a side (ResNet-50: 14
    needs 448, 7 needs 224).

    Raises: InputError if no square up to 1024 pixels has such a map.
    """
    sides = backbone.sizes.squares()
    # the larger the square, the more cells: found in a few steps, since some networks must be run
    place = bisect.bisect_right(sides, cells, key=backbone.map_side)
    if place and backbone.map_side(sides[place - 1]) == cells:
        return sides[place - 1]
    why = f"No square of up to {MOST_PIXELS} pixels gives {backbone.name} one"
    if backbone.sizes.fixed:
        own = f": --cells={backbone.map_side(sides[0])}" if sides else ", which are no square"
        why = f"The network takes images of {backbone.sizes.fixed} pixels (width, height) only{own}"
    raise InputError(f"A map of {cells} x {cells} cells was asked for. {why}")


def maps_of(crops: Sequence[np.ndarray], backbone: Backbone, side: int) -> np.ndarray:
    """Crops [h, w, 3] uint8 of any size, as squares of `side` pixels, to their maps [crops, M, M,
    F] float32.
    """
    squares = np.stack([square(crop, side) for crop in crops])
    maps = [
        np.asarray(backbone.feature_map(squares[i : i + _BATCH]))
        for i in range(0, len(squares), _BATCH)
    ]
    return np.concatenate(maps)


def square(crop: np.ndarray, side: int) -> np.ndarray:
    """A crop [h, w, 3] uint8 of any size, resized to a square of `side` pixels."""
    shrinks = crop.shape[0] * crop.shape[1] > side * side
    return cv2.resize(
        crop, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )


class CropMaps:
    """The maps of records, made from their photos. Raises: InputError if the backbone has no map of
    `cells` cells a side.
    """

    def __init__(self, photos: RecordPhotos, backbone: Backbone, cells: int):
        self._photos, self._backbone, self._side = photos, backbone, pixels_for(backbone, cells)

    def of(self, records: Iterable[Record]) -> np.ndarray:
        """[records, M, M, F] float32. Raises: InputError for a photo that cannot be had."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            crops = list(pool.map(self._crop, records))
        return maps_of(crops, self._backbone, self._side)

    def _crop(self, record: Record) -> np.ndarray:
        return self._photos.crop(record.image_id, record.image_size, record.crop_box)


class KeptMaps:
    """Maps on disk, in the order of their photos (`read_photos`). Index with numbers of photos: [n]
    -> [n, M, M, F] float32.
    """

    def __init__(self, files: Sequence[pathlib.Path]):
        self._parts = [np.load(file, mmap_mode="r", allow_pickle=False) for file in files]
        self._starts = np.cumsum([0, *(len(part) for part in self._parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, numbers: Sequence[int]) -> np.ndarray:
        places = [
            (part, n - self._starts[part])
            for n in numbers
            for part in [int(np.searchsorted(self._starts, n, side="right")) - 1]
        ]
        return np.stack([self._parts[part][row] for part, row in places]).astype(np.float32)


class MapMaker(Protocol):
    """What makes the maps of records, as `CropMaps` does."""

    def of(self, records: Iterable[Record]) -> np.ndarray:
        """[records, M, M, F] float32."""


def keep_maps(shards: Sequence[str], maps: MapMaker, folder: pathlib.Path, name: str) -> KeptMaps:
    """Writes the maps of every shard's photos into `folder`, except those that are there. Args:
    name: of the records, for the progress lines.
    """
    files = [folder / f"{pathlib.Path(shard).stem}.npy" for shard in shards]
    with Progress(f"{name}: maps", len(shards), "shards") as progress:
        for shard, file in zip(shards, files, strict=True):
            if file.is_file():
                progress.skipped(1)
                continue
            # Random weights can leave float16's range; maps are normalised by who reads them, so a
            # cut at its end loses nothing that counts.
            arrays = np.clip(maps.of(read_photos([shard])), -_FLOAT16_MOST, _FLOAT16_MOST)
            with appears_whole(file) as partial, open(partial, "wb") as stream:
                np.save(stream, arrays.astype(np.float16), allow_pickle=False)
            progress.done(1)
    return KeptMaps(files)
