"""One shard of records: its photos read, cropped, brought into records and written."""

import collections
import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
from typing import Any

import numpy as np
from absl import logging

from data_prep.catalogue.products import Catalogue
from data_prep.foreground.crops import Crop
from data_prep.foreground.product_crops import Photo, ProductCrops
from data_prep.record_writing.finished_shards import write_report
from data_prep.record_writing.photo_content import PhotoContent
from data_prep.record_writing.record_settings import Item
from kaleido_tf.errors import InputError
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.records.record import Record
from kaleido_tf.records.shared_photos import share_photo

# in memory, decoded, while their products are looked for; so many share the network's batches
_PHOTOS_AT_ONCE = 32


@dataclasses.dataclass(frozen=True)
class _CutPhoto:
    """A photo of `image_size` (width, height) pixels, its crop, and what the records keep of it."""

    item: Item
    image_size: tuple[int, int]
    crop: Crop
    cut: Any

    @property
    def fields(self) -> dict:
        return {
            "product_id": self.item.product.product_id,
            "image_id": self.item.image.image_id,
            "text": self.item.text,
            "title": self.item.product.title,
            "image_size": self.image_size,
            "crop_box": self.crop.box,
            "token_ids": self.item.token_ids,
        }


@dataclasses.dataclass(frozen=True)
class CutShard:
    """The photos of a shard, read and cropped; `skipped`: which were left out, and why."""

    photos: list[_CutPhoto]
    skipped: list[dict]


def write_cut_shard(
    path: pathlib.Path, source: str, cut: CutShard, catalogue: Catalogue, content: PhotoContent
) -> None:
    """Makes the records of one shard; writes the shard, then its report.

    Args: source: what the shard is made of, see `shard_sources`.
    """
    lines, shared = _records(path.name, cut.photos, catalogue, content)
    whole = [photo.crop for photo in cut.photos if photo.crop.fallback]
    report = {
        "records": len(lines),
        "crops_kept_whole": len(whole),
        "reasons_for_whole": collections.Counter(
            crop.reason or "no product was found" for crop in whole
        ),
        "skipped": cut.skipped,
        "source": source,
        **({"records_without_photo": shared} if content.settings.share_photos else {}),
    }
    write_shard(path, lines)
    write_report(path, report)


def _records(
    name: str, photos: list[_CutPhoto], catalogue: Catalogue, content: PhotoContent
) -> tuple[list[bytes], int]:
    """The serialized records of all views of the photos of the shard `name`, and how many of them
    hold no photo, since another one holds it.
    """
    products = _product_fields(photos, catalogue)
    numbers, cuts = _distinct([photo.cut for photo in photos])
    views_of = content.fields(cuts)
    groups = [[place] for place in range(len(photos))]
    if content.settings.share_photos:
        groups = [np.flatnonzero(numbers == number).tolist() for number in range(len(cuts))]
    lines, shared = [], 0
    for places in groups:
        for view in views_of[numbers[places[0]]]:
            if "-00000-of-" in name and len(lines) < 2:
                _log_record({**products[places[0]], **view}, content)
            records = [
                _serialized({**products[place], **view}, content, photos[place].item)
                for place in places
            ]
            if len(records) > 1:
                records = share_photo([Record.parse(record) for record in records])
                shared += len(records) - 1
            lines += records
    return lines, shared


def _product_fields(photos: list[_CutPhoto], catalogue: Catalogue) -> list[dict]:
    """Of each photo what its record says beside what it shows."""
    categories = {name: number for number, name in enumerate(catalogue.category_names)}
    subcategories = {pair: number for number, pair in enumerate(catalogue.subcategories)}
    return [
        {
            **photo.fields,
            "category_id": categories[photo.item.product.category],
            "subcategory_id": subcategories[
                photo.item.product.category, photo.item.product.subcategory
            ],
        }
        for photo in photos
    ]


def _distinct(cuts: list[Any]) -> tuple[np.ndarray, list[Any]]:
    """([n] the number of each cut among those that differ, these): what photos have in common to
    the pixel goes through the network once.
    """
    numbers: dict[tuple, int] = {}
    found, different = [], []
    for cut in cuts:
        content = cut if isinstance(cut, bytes) else np.ascontiguousarray(cut)
        key = np.shape(cut), hashlib.sha256(content).digest()
        if key not in numbers:
            different.append(cut)
        found.append(numbers.setdefault(key, len(numbers)))
    return np.array(found, int), different


def _serialized(fields: dict, content: PhotoContent, item: Item) -> bytes:
    try:
        return content.serialize(fields)
    except ValueError as error:
        raise InputError(f"{item.image.where} (image {item.image.image_id}): {error}") from error


def cut_shard(shard: list[Item], content: PhotoContent, crops: ProductCrops) -> CutShard:
    """Decodes and crops the photos on all cores (Pillow and OpenCV release the interpreter lock),
    some at a time. Raises: InputError for a bad one, unless such are skipped.
    """
    results = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(shard), _PHOTOS_AT_ONCE):
            results += _cut_some(shard[start : start + _PHOTOS_AT_ONCE], content, crops, pool)
    photos, skipped = [], []
    for item, result in zip(shard, results):
        if isinstance(result, _CutPhoto):
            photos.append(result)
            continue
        if content.settings.on_bad_record == "fail":
            raise result
        skipped.append({"image_id": item.image.image_id, "why": str(result)})
    return CutShard(photos, skipped)


def _cut_some(
    items: list[Item], content: PhotoContent, crops: ProductCrops, pool
) -> list[_CutPhoto | InputError]:
    """One result an item; the products of all photos that can be read are looked for together."""

    def load(item: Item) -> Photo | InputError:
        try:
            return Photo(
                item.image.load(), item.product.product_id, item.image.image_id, item.image.where
            )
        except InputError as error:
            return error

    def cut(number: int, crop: Crop | InputError) -> _CutPhoto | InputError:
        if isinstance(crop, InputError):
            return crop
        image = results[number].image
        size = (image.shape[1], image.shape[0])
        return _CutPhoto(items[number], size, crop, content.cut(image, crop))

    results = list(pool.map(load, items))
    good = [number for number, result in enumerate(results) if isinstance(result, Photo)]
    found = crops.find([results[number] for number in good], pool.map)
    for number, result in zip(good, list(pool.map(cut, good, found))):
        results[number] = result
    return results


def _log_record(fields: dict, content: PhotoContent) -> None:
    """Shows a record in words, so that a wrong crop or text is seen before hours are spent."""
    logging.info(
        "record %s: photo %s px, crop %s, %d word pieces, %s, text: %s",
        fields["image_id"],
        fields["image_size"],
        fields["crop_box"],
        len(fields["token_ids"]),
        content.in_words(fields),
        fields["text"][:100],
    )
