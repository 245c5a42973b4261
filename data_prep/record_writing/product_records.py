"""A catalogue to record shards: the work behind `write_kaleido_records` and
`write_fashion_bert_records`.

Each split gets its own folder: shards, `settings.json` (what decides their content) and, when all
  shards are
complete, `dataset.json` (counts, shapes, digests, what was skipped and why) and `vocab.txt`.
"""

import collections
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import time

from absl import logging

from data_prep.catalogue.duplicates import duplicates_across_splits
from data_prep.catalogue.products import Catalogue, image_owners
from data_prep.features.backbones import Backbone, build_backbone
from data_prep.foreground.product_crops import ProductCrops, build_crops
from data_prep.record_writing.photo_shards import write_one_shard
from data_prep.record_writing.record_settings import Item, RecordSettings, product_text
from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import claim_folder
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.text_files import read_text
from kaleido_tf.files.tfrecord_files import shard_path
from kaleido_tf.files.whole_files import write_bytes, write_json
from kaleido_tf.records.dataset_json import MANIFEST_NAME, read_dataset_json
from kaleido_tf.records.record import LAYOUTS, RECORD_VERSION
from kaleido_tf.text import Tokenizer, Vocabulary


def write_records(
    catalogue: Catalogue,
    split: str,
    output_dir: str | os.PathLike,
    settings: RecordSettings,
    backbone: Backbone | None = None,
    crops: ProductCrops | None = None,
) -> dict:
    """Writes the records of one split into `output_dir/split` and returns its `dataset.json`.

    Shards that are there already are skipped, so an interrupted run goes on where it stopped.
    Args: backbone, crops: built ones, to share them between splits; None builds them from the
      settings.
    Raises: InputError for anything the user can mend (see `RecordSettings.on_bad_record`).
    """
    products = catalogue.of_split(split)
    folder = pathlib.Path(output_dir) / split
    vocabulary = Vocabulary(settings.vocabulary)
    backbone = backbone or build_backbone(settings.backbone, settings.backbone_weights)
    crops = crops or build_crops(
        settings.foreground,
        settings.foreground_weights,
        settings.foreground_masks,
        image_owners(catalogue),
    )
    identity = _identity(catalogue, products, split, settings, backbone, crops)
    claim_folder(folder, identity)
    if (folder / MANIFEST_NAME).is_file():
        logging.info("%s is complete already: nothing to do", folder)
        return read_dataset_json(folder)
    items, skipped = _items(products, settings, Tokenizer(vocabulary))
    shards = [
        items[i : i + settings.records_per_shard]
        for i in range(0, len(items), settings.records_per_shard)
    ]
    progress = _Progress(len(items), split)
    crops_kept_whole, counts, reasons = 0, {}, collections.Counter()
    tally = _BadTally(settings, len(items) + len(skipped), folder)
    tally.check(skipped + _bad_headers(folder, shards, settings, crops))
    for number, shard in enumerate(shards):
        path = shard_path(folder, number, len(shards))
        report_path = path.with_suffix(".json")
        if not (path.is_file() and report_path.is_file()):
            report = write_one_shard(
                path, report_path, shard, catalogue, settings, backbone, crops, number == 0
            )
            progress.done(len(shard))
        else:
            report = read_json_object(report_path)
            progress.skipped(len(shard))
        counts[path.name] = report["records"]
        crops_kept_whole += report["crops_kept_whole"]
        reasons.update(report.get("reasons_for_whole", {}))
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
        "feature_shapes": {
            name: [rows, backbone.feature_size]
            for name, rows in LAYOUTS[settings.layout].blocks.items()
        },
        "crops_kept_whole": crops_kept_whole,
        "reasons_for_whole": dict(reasons.most_common()),
        "skipped": skipped,
        "catalogue_lines_skipped": list(catalogue.unusable),
        "also_in_other_splits": sorted(
            {
                product.product_id
                for duplicate in duplicates_across_splits(catalogue.products)
                for product in (duplicate.first, duplicate.second)
                if product.split == split
            }
        ),
    }
    write_bytes(folder / "vocab.txt", read_text(settings.vocabulary).encode())
    write_json(folder / MANIFEST_NAME, dataset)
    for number in range(len(shards)):
        shard_path(folder, number, len(shards)).with_suffix(".json").unlink()
    return dataset


def check_catalogue(catalogue: Catalogue, settings: RecordSettings) -> None:
    """Raises InputError if too much of a catalogue was left out while it was read; which split that
    was is not known.
    """
    bad, total = len(catalogue.unusable), len(catalogue.unusable) + len(catalogue.products)
    if bad > settings.max_bad_fraction * total:
        raise InputError(
            f"More than {settings.max_bad_fraction:.1%} of the catalogue's lines are no product"
            f" ({bad} of {total}; the first: {catalogue.unusable[0]})"
        )


def _identity(catalogue, products, split, settings, backbone, crops) -> dict:
    """What decides the content of every shard; two runs that agree here write the same records.

    Photos count by their names, not their bytes: a photo that was missing or broken can be mended
    and the run started again without losing what is finished.
    """
    rows = [
        [
            p.product_id,
            product_text(p, settings.text_field),
            p.title,
            p.category,
            p.subcategory,
            [image.image_id for image in p.images],
        ]
        for p in products
    ]
    names = [catalogue.category_names, catalogue.subcategory_names]
    decisive = dataclasses.asdict(settings)
    for name in (
        "images_per_batch",
        "on_bad_record",
        "max_bad_fraction",
        "vocabulary",
        "backbone_weights",
        "foreground_weights",
        "foreground_masks",
    ):
        decisive.pop(name)
    return {
        "record_version": RECORD_VERSION,
        "products_digest": hashlib.sha256(json.dumps([names, rows]).encode()).hexdigest(),
        "split": split,
        **decisive,
        **crops.identity,
        # only where it is asked for: records made before there was a choice stay what they are
        **({"keep_markup": True} if catalogue.keep_markup else {}),
        "patch_size": settings.patch_size or "native",
        "backbone_digest": backbone.digest,
        "vocabulary_digest": (hashlib.sha256(read_text(settings.vocabulary).encode()).hexdigest()),
    }


def _items(
    products, settings: RecordSettings, tokenizer: Tokenizer
) -> tuple[list[Item], list[dict]]:
    """Every image of every product with its tokenized text, and what is left out for want of a
    text.
    """
    texts = [product_text(product, settings.text_field) for product in products]
    items, skipped = [], []
    for product, text, ids in zip(products, texts, tokenizer(texts)):
        if ids:
            items += [Item(product, image, text, ids) for image in product.images]
            continue
        why = (
            f"{product.where}: product {product.product_id} needs a text in"
            f" `{settings.text_field}`. Received: {text!r}, which has no words"
        )
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
                f"More than {self._fraction:.1%} of the images are bad ({len(bad)} of at most"
                f" {self._allowed}; the first: {bad[0]['why']}). Nothing more was written; finished"
                f" shards in {self._folder} are kept"
            )


def _bad_headers(
    folder: pathlib.Path, shards: list[list[Item]], settings: RecordSettings, crops: ProductCrops
) -> list[dict]:
    """What the headers of the photos (and masks) still to be read show to be bad, before hours go
    into the good ones.

    Raises: InputError for the first one, unless bad ones are skipped.
    """
    paths = [shard_path(folder, number, len(shards)) for number in range(len(shards))]
    waiting = [item for path, shard in zip(paths, shards) if not path.is_file() for item in shard]

    def check(item: Item) -> InputError | None:
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
            f"{self._split}: {self._done + self._skipped}/{self._total} images, {rate:.1f}"
            f" images/s, {left / 60:.1f} min left",
            flush=True,
        )
