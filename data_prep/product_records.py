"""A catalogue to record shards: the work behind `write_kaleido_records` and `write_fashion_bert_records`.

Each split gets its own folder: shards, `settings.json` (what decides their content) and, when all shards are
complete, `dataset.json` (counts, shapes, digests, what was skipped and why) and `vocab.txt`.
"""

import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import time

import numpy as np
from absl import logging

from data_prep import record_writer
from data_prep.backbones import Backbone, build_backbone
from data_prep.catalogue import Catalogue, Product, ProductImage
from data_prep.patch_features import WorkingCrop, cut_crop, extract_features
from data_prep.product_crops import Photo, ProductCrops, build_crops, check_choice
from kaleido_tf import records
from kaleido_tf.errors import InputError
from kaleido_tf.json_files import read_json_object
from kaleido_tf.text import DEFAULT_VOCABULARY, Tokenizer, Vocabulary

TEXT_FIELDS = ("description", "title", "title_and_description")
_PHOTOS_AT_ONCE = 32  # in memory, decoded, while their products are looked for; so many share the network's batches


@dataclasses.dataclass(frozen=True)
class RecordSettings:
    """How records are made. `layout`: a name of `records.LAYOUTS`. `patch_size` None: patches at their own size; else pixels a side (224 as the original).

    `crop_size`: long side of the working crop in pixels (256 is the photo size of Fashion-Gen).
    `foreground`: a name of `product_crops.METHODS`; `unet` needs `foreground_weights` (a file of `data_prep.train_saliency`),
    `masks` needs `foreground_masks` (a folder of PNGs).
    `on_bad_record`: `fail` stops at the first unusable product, `skip` leaves it out and lists it, but still fails
    once more than `max_bad_fraction` of the images is bad.
    """

    layout: str = records.KALEIDO.name
    backbone: str = "resnet50"
    backbone_weights: str = "imagenet"
    patch_size: int | None = None
    crop_size: int = 256
    foreground: str = "border"
    foreground_weights: str = ""
    foreground_masks: str = ""
    text_field: str = "description"
    vocabulary: str = str(DEFAULT_VOCABULARY)
    records_per_shard: int = 256
    images_per_batch: int = 16
    on_bad_record: str = "fail"
    max_bad_fraction: float = 0.01

    def __post_init__(self):
        check_choice(self.foreground, self.foreground_weights, self.foreground_masks)
        if self.text_field not in TEXT_FIELDS:
            raise InputError(f"`text_field` must be one of {', '.join(TEXT_FIELDS)}. Received: {self.text_field}")
        if self.on_bad_record not in ("fail", "skip"):
            raise InputError(f"`on_bad_record` must be fail or skip. Received: {self.on_bad_record}")
        if self.crop_size < 64:
            raise InputError(f"`crop_size` must be at least 64 pixels. Received: {self.crop_size}")
        if self.patch_size is not None and self.patch_size < 32:
            raise InputError(f"`patch_size` must be native or at least 32 pixels. Received: {self.patch_size}")


@dataclasses.dataclass(frozen=True)
class _Item:
    """One image to be recorded, with its product and the word pieces of its text."""

    product: Product
    image: ProductImage
    text: str
    token_ids: list[int]


def product_text(product: Product, field: str) -> str:
    """The text that is paired with the photos of a product."""
    if field == "title_and_description":
        return ". ".join(part for part in (product.title.rstrip("."), product.description) if part)
    return getattr(product, field)


def write_records(catalogue: Catalogue, split: str, output_dir: str | os.PathLike, settings: RecordSettings,
                  backbone: Backbone | None = None, crops: ProductCrops | None = None) -> dict:
    """Writes the records of one split into `output_dir/split` and returns its `dataset.json`.

    Shards that are there already are skipped, so an interrupted run goes on where it stopped.
    Args: backbone, crops: built ones, to share them between splits; None builds them from the settings.
    Raises: InputError for anything the user can mend (see `RecordSettings.on_bad_record`).
    """
    products = catalogue.of_split(split)
    folder = pathlib.Path(output_dir) / split
    vocabulary = Vocabulary(settings.vocabulary)
    backbone = backbone or build_backbone(settings.backbone, settings.backbone_weights)
    crops = crops or build_crops(settings.foreground, settings.foreground_weights, settings.foreground_masks)
    identity = _identity(catalogue, products, split, settings, backbone, crops)
    record_writer.claim_folder(folder, identity)
    if (folder / records.MANIFEST_NAME).is_file():
        logging.info("%s is complete already: nothing to do", folder)
        return records.read_dataset_json(folder)
    items, skipped = _items(products, settings, Tokenizer(vocabulary))
    shards = [items[i : i + settings.records_per_shard] for i in range(0, len(items), settings.records_per_shard)]
    progress = _Progress(len(items), split)
    crops_kept_whole, counts = 0, {}
    tally = _BadTally(settings, len(items) + len(skipped), folder)
    tally.check(skipped + _bad_headers(folder, shards, settings, crops))
    for number, shard in enumerate(shards):
        path = record_writer.shard_path(folder, number, len(shards))
        report_path = path.with_suffix(".json")
        if not (path.is_file() and report_path.is_file()):
            report = _write_one_shard(path, report_path, shard, catalogue, settings, backbone, crops, number == 0)
            progress.done(len(shard))
        else:
            report = read_json_object(report_path)
            progress.skipped(len(shard))
        counts[path.name] = report["records"]
        crops_kept_whole += report["crops_kept_whole"]
        skipped += report["skipped"]
        tally.check(skipped)
    dataset = {
        **identity,
        "catalogue": catalogue.source,
        "catalogue_digest": catalogue.digest,
        "records": sum(counts.values()),
        "shards": counts,
        "products": len({item.product.product_id for item in items}),
        "categories": list(catalogue.category_names),
        "subcategories": list(catalogue.subcategory_names),
        "feature_size": backbone.feature_size,
        "feature_shapes": {name: [rows, backbone.feature_size] for name, rows in records.LAYOUTS[settings.layout].blocks.items()},
        "crops_kept_whole": crops_kept_whole,
        "skipped": skipped,
        "catalogue_lines_skipped": list(catalogue.unusable),
    }
    record_writer.write_bytes(folder / "vocab.txt", pathlib.Path(settings.vocabulary).read_bytes())
    record_writer.write_json(folder / records.MANIFEST_NAME, dataset)
    for number in range(len(shards)):
        record_writer.shard_path(folder, number, len(shards)).with_suffix(".json").unlink()
    return dataset


def check_catalogue(catalogue: Catalogue, settings: RecordSettings) -> None:
    """Raises InputError if too much of a catalogue was left out while it was read; which split that was is not known."""
    bad, total = len(catalogue.unusable), len(catalogue.unusable) + len(catalogue.products)
    if bad > settings.max_bad_fraction * total:
        raise InputError(
            f"More than {settings.max_bad_fraction:.1%} of the catalogue's lines are no product ({bad} of {total}; the first: "
            f"{catalogue.unusable[0]})"
        )


def _identity(catalogue, products, split, settings, backbone, crops) -> dict:
    """What decides the content of every shard; two runs that agree here write the same records.

    Photos count by their names, not their bytes: a photo that was missing or broken can be mended and the run started
    again without losing what is finished.
    """
    rows = [[p.product_id, product_text(p, settings.text_field), p.title, p.category, p.subcategory,
             [image.image_id for image in p.images]] for p in products]
    names = [catalogue.category_names, catalogue.subcategory_names]
    decisive = dataclasses.asdict(settings)
    for name in ("images_per_batch", "on_bad_record", "max_bad_fraction", "vocabulary", "backbone_weights", "foreground_weights",
                 "foreground_masks"):
        decisive.pop(name)
    return {
        "record_version": records.RECORD_VERSION,
        "products_digest": hashlib.sha256(json.dumps([names, rows]).encode()).hexdigest(),
        "split": split,
        **decisive,
        **crops.identity,
        "patch_size": settings.patch_size or "native",
        "backbone_digest": backbone.digest,
        "vocabulary_digest": hashlib.sha256(pathlib.Path(settings.vocabulary).read_bytes()).hexdigest(),
    }


def _items(products, settings: RecordSettings, tokenizer: Tokenizer) -> tuple[list[_Item], list[dict]]:
    """Every image of every product with its tokenized text, and what is left out for want of a text."""
    texts = [product_text(product, settings.text_field) for product in products]
    items, skipped = [], []
    for product, text, ids in zip(products, texts, tokenizer(texts)):
        if ids:
            items += [_Item(product, image, text, ids) for image in product.images]
            continue
        why = (f"{product.where}: product {product.product_id} needs a text in `{settings.text_field}`. "
               f"Received: {text!r}, which has no words")
        if settings.on_bad_record == "fail":
            raise InputError(why)
        skipped += [{"image_id": image.image_id, "why": why} for image in product.images]
    if not items:
        raise InputError("No product is left to write: every text is empty")
    return items, skipped


class _BadTally:
    """How much may be bad before even `skip` fails."""

    def __init__(self, settings: RecordSettings, total: int, folder: pathlib.Path):
        self._fraction, self._folder = settings.max_bad_fraction, folder
        self._allowed = int(settings.max_bad_fraction * total)

    def check(self, bad: list[dict]) -> None:
        if len(bad) > self._allowed:
            raise InputError(
                f"More than {self._fraction:.1%} of the images are bad ({len(bad)} of at most {self._allowed}; "
                f"the first: {bad[0]['why']}). Nothing more was written; finished shards in {self._folder} are kept"
            )


def _bad_headers(folder: pathlib.Path, shards: list[list[_Item]], settings: RecordSettings, crops: ProductCrops) -> list[dict]:
    """What the headers of the photos (and masks) still to be read show to be bad, before hours go into the good ones.

    Raises: InputError for the first one, unless bad ones are skipped.
    """
    paths = [record_writer.shard_path(folder, number, len(shards)) for number in range(len(shards))]
    waiting = [item for path, shard in zip(paths, shards) if not path.is_file() for item in shard]

    def check(item: _Item) -> InputError | None:
        try:
            item.image.check()
            crops.check(item.product.product_id, item.image.image_id, item.image.where)
        except InputError as error:
            return error
        return None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(check, waiting))
    bad = [(item, error) for item, error in zip(waiting, results) if error]
    if bad and settings.on_bad_record == "fail":
        raise bad[0][1]
    return [{"image_id": item.image.image_id, "why": str(error)} for item, error in bad]


def _write_one_shard(path, report_path, shard, catalogue, settings, backbone, product_crops, log_first: bool) -> dict:
    """Reads, crops and features one shard's photos; writes its report, then the shard itself."""
    crops, skipped = _load_crops(shard, settings, product_crops)
    kept = [number for number, crop in enumerate(crops) if crop is not None]
    blocks = _features(crops, kept, backbone, settings)
    layout = records.LAYOUTS[settings.layout]
    categories = {name: number for number, name in enumerate(catalogue.category_names)}
    subcategories = {name: number for number, name in enumerate(catalogue.subcategory_names)}
    lines = []
    for number in kept:
        item, crop = shard[number], crops[number]
        fields = {
            "product_id": item.product.product_id,
            "image_id": item.image.image_id,
            "text": item.text,
            "title": item.product.title,
            "category_id": categories[item.product.category],
            "subcategory_id": subcategories[item.product.subcategory],
            "image_size": crop.image_size,
            "crop_box": crop.box,
            "patch_boxes": layout.boxes(crop.pixels.shape[1], crop.pixels.shape[0]),
            "token_ids": item.token_ids,
            **{name: block[number] for name, block in blocks.items()},
        }
        if log_first and len(lines) < 2:
            _log_record(fields)
        try:
            lines.append(records.serialize(fields, layout))
        except ValueError as error:
            raise InputError(f"{item.image.where} (image {item.image.image_id}): {error}") from error
    report = {
        "records": len(lines),
        "crops_kept_whole": sum(crops[number].whole for number in kept),
        "skipped": skipped,
    }
    record_writer.write_json(report_path, report)
    record_writer.write_shard(path, lines)
    return report


def _load_crops(shard: list[_Item], settings: RecordSettings, crops: ProductCrops) -> tuple[list[WorkingCrop | None], list[dict]]:
    """Decodes and crops the photos on all cores (Pillow and OpenCV release the interpreter lock), some at a time."""
    results = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(shard), _PHOTOS_AT_ONCE):
            results += _crop_photos(shard[start : start + _PHOTOS_AT_ONCE], settings.crop_size, crops, pool)
    skipped = []
    for item, result in zip(shard, results):
        if isinstance(result, InputError):
            if settings.on_bad_record == "fail":
                raise result
            skipped.append({"image_id": item.image.image_id, "why": str(result)})
    return [None if isinstance(result, InputError) else result for result in results], skipped


def _crop_photos(items: list[_Item], crop_size: int, crops: ProductCrops, pool) -> list[WorkingCrop | InputError]:
    """One result an item; the products of all photos that can be read are looked for together."""

    def load(item: _Item) -> Photo | InputError:
        try:
            return Photo(item.image.load(), item.product.product_id, item.image.image_id, item.image.where)
        except InputError as error:
            return error

    def cut(photo: Photo, found) -> WorkingCrop | InputError:
        return found if isinstance(found, InputError) else cut_crop(photo.image, found, crop_size)

    results = list(pool.map(load, items))
    good = [number for number, result in enumerate(results) if isinstance(result, Photo)]
    photos = [results[number] for number in good]
    for number, result in zip(good, pool.map(cut, photos, crops.find(photos, pool.map))):
        results[number] = result
    return results


def _features(crops, kept, backbone, settings) -> dict[str, dict[int, np.ndarray]]:
    """Feature blocks by record number; photos of one working size go through the backbone together."""
    by_size: dict[tuple[int, ...], list[int]] = {}
    for number in kept:
        by_size.setdefault(crops[number].pixels.shape, []).append(number)
    layout = records.LAYOUTS[settings.layout]
    blocks: dict[str, dict[int, np.ndarray]] = {name: {} for name in layout.blocks}
    for members in by_size.values():
        for start in range(0, len(members), settings.images_per_batch):
            batch = members[start : start + settings.images_per_batch]
            pixels = np.stack([crops[number].pixels for number in batch])
            features = extract_features(pixels, backbone, settings.patch_size, layout)
            for name, block in features.items():
                blocks[name].update(zip(batch, block))
    return blocks


def _log_record(fields: dict) -> None:
    """Shows a record in words, so that a wrong crop or text is seen before hours are spent."""
    features = fields["patch_features"]
    logging.info(
        "record %s: photo %s px, crop %s, %d word pieces, features mean %.3f max %.3f, text: %s",
        fields["image_id"], fields["image_size"], fields["crop_box"], len(fields["token_ids"]),
        features.mean(), features.max(), fields["text"][:100],
    )


class _Progress:
    """One line a shard: images a second and the time left."""

    def __init__(self, total: int, split: str):
        self._total, self._split = total, split
        self._done = self._skipped = 0
        self._start = time.monotonic()

    def skipped(self, count: int) -> None:
        self._skipped += count

    def done(self, count: int) -> None:
        self._done += count
        rate = self._done / max(time.monotonic() - self._start, 1e-6)
        left = (self._total - self._skipped - self._done) / rate
        print(
            f"{self._split}: {self._done + self._skipped}/{self._total} images, {rate:.1f} images/s, "
            f"{left / 60:.1f} min left", flush=True,
        )
