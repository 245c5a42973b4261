"""One shard of records: its photos read, cropped, turned into features and written."""

import collections
import concurrent.futures
import itertools
import os
import pathlib

import numpy as np
from absl import logging

from data_prep.catalogue.products import Catalogue
from data_prep.features.backbones import Backbone
from data_prep.features.patch_features import extract_features
from data_prep.foreground.product_crops import Photo, ProductCrops
from data_prep.foreground.working_crops import WorkingCrop, cut_crop
from data_prep.record_writing.finished_shards import write_report
from data_prep.record_writing.record_settings import Item, RecordSettings
from kaleido_tf.errors import InputError
from kaleido_tf.files.tfrecord_files import write_shard
from kaleido_tf.records.record import LAYOUTS, serialize_record
from kaleido_tf.records.views import VIEWS, pixels_of_view

# in memory, decoded, while their products are looked for; so many share the network's batches
_PHOTOS_AT_ONCE = 32


def write_one_shard(
    path: pathlib.Path,
    source: str,
    shard: list[Item],
    catalogue: Catalogue,
    settings: RecordSettings,
    backbone: Backbone,
    product_crops: ProductCrops,
) -> dict:
    """Reads, crops and features one shard's photos; writes the shard, then its report, which it
    returns.

    Args: source: what the shard is made of, see `shard_sources`.
    """
    crops, skipped = _load_crops(shard, settings, product_crops)
    kept = [number for number, crop in enumerate(crops) if crop is not None]
    views = [VIEWS.index(name) for name in settings.views]
    blocks = _features(crops, kept, views, backbone, settings)
    layout = LAYOUTS[settings.layout]
    categories = {name: number for number, name in enumerate(catalogue.category_names)}
    subcategories = {pair: number for number, pair in enumerate(catalogue.subcategories)}
    lines = []
    for number, view in itertools.product(kept, views):
        item, crop = shard[number], crops[number]
        fields = {
            "product_id": item.product.product_id,
            "image_id": item.image.image_id,
            "text": item.text,
            "title": item.product.title,
            "category_id": categories[item.product.category],
            "subcategory_id": subcategories[item.product.category, item.product.subcategory],
            "image_size": crop.image_size,
            "crop_box": crop.box,
            "patch_boxes": layout.boxes(crop.pixels.shape[1], crop.pixels.shape[0]),
            "token_ids": item.token_ids,
            "view": view,
            **{name: block[number, view] for name, block in blocks.items()},
        }
        if "-00000-of-" in path.name and len(lines) < 2:
            _log_record(fields)
        try:
            lines.append(serialize_record(fields, layout))
        except ValueError as error:
            raise InputError(
                f"{item.image.where} (image {item.image.image_id}): {error}"
            ) from error
    report = {
        "records": len(lines),
        "crops_kept_whole": sum(crops[number].whole for number in kept),
        "reasons_for_whole": collections.Counter(
            crops[number].reason or "no product was found" for number in kept if crops[number].whole
        ),
        "skipped": skipped,
        "source": source,
    }
    write_shard(path, lines)
    write_report(path, report)
    return report


def _load_crops(
    shard: list[Item], settings: RecordSettings, crops: ProductCrops
) -> tuple[list[WorkingCrop | None], list[dict]]:
    """Decodes and crops the photos on all cores (Pillow and OpenCV release the interpreter lock),
    some at a time.
    """
    results = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(shard), _PHOTOS_AT_ONCE):
            results += _crop_photos(
                shard[start : start + _PHOTOS_AT_ONCE], settings.crop_size, crops, pool
            )
    skipped = []
    for item, result in zip(shard, results):
        if isinstance(result, InputError):
            if settings.on_bad_record == "fail":
                raise result
            skipped.append({"image_id": item.image.image_id, "why": str(result)})
    return [None if isinstance(result, InputError) else result for result in results], skipped


def _crop_photos(
    items: list[Item], crop_size: int, crops: ProductCrops, pool
) -> list[WorkingCrop | InputError]:
    """One result an item; the products of all photos that can be read are looked for together."""

    def load(item: Item) -> Photo | InputError:
        try:
            return Photo(
                item.image.load(), item.product.product_id, item.image.image_id, item.image.where
            )
        except InputError as error:
            return error

    def cut(photo: Photo, crop) -> WorkingCrop | InputError:
        return crop if isinstance(crop, InputError) else cut_crop(photo.image, crop, crop_size)

    results = list(pool.map(load, items))
    good = [number for number, result in enumerate(results) if isinstance(result, Photo)]
    photos = [results[number] for number in good]
    for number, result in zip(good, pool.map(cut, photos, crops.find(photos, pool.map))):
        results[number] = result
    return results


def _features(
    crops, kept, views, backbone, settings
) -> dict[str, dict[tuple[int, int], np.ndarray]]:
    """Feature blocks by number of the photo and view; photos of one working size go through the
    backbone together.
    """
    by_size: dict[tuple[int, ...], list[int]] = {}
    for number in kept:
        by_size.setdefault(crops[number].pixels.shape, []).append(number)
    layout = LAYOUTS[settings.layout]
    blocks: dict[str, dict] = {name: {} for name in layout.blocks}
    for members in by_size.values():
        for start in range(0, len(members), settings.images_per_batch):
            batch = members[start : start + settings.images_per_batch]
            pixels = np.stack([crops[number].pixels for number in batch])
            for view in views:
                seen = pixels_of_view(pixels, view)
                features = extract_features(seen, backbone, settings.patch_size, layout)
                for name, block in features.items():
                    blocks[name].update(zip([(number, view) for number in batch], block))
    return blocks


def _log_record(fields: dict) -> None:
    """Shows a record in words, so that a wrong crop or text is seen before hours are spent."""
    features = fields["patch_features"]
    logging.info(
        "record %s: photo %s px, crop %s, %d word pieces, features mean %.3f max %.3f, text: %s",
        fields["image_id"],
        fields["image_size"],
        fields["crop_box"],
        len(fields["token_ids"]),
        features.mean(),
        features.max(),
        fields["text"][:100],
    )
