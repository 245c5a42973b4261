"""What the `dataset.json` of a folder of records says of its catalogue, shards and shapes."""

import collections
import hashlib
import json
from collections.abc import Iterable

from data_prep.catalogue.duplicates import duplicates_across_splits
from data_prep.catalogue.products import Catalogue
from data_prep.record_writing.photo_content import PhotoContent
from data_prep.record_writing.record_settings import Item


def description(
    catalogue: Catalogue,
    split: str,
    items: list[Item],
    skipped: list[dict],
    content: PhotoContent,
    reports: dict[str, dict],
) -> dict:
    """What `dataset.json` says beside the settings.

    Args: reports: by shard, see `finished_shards`.
    """
    sources = [report["source"] for report in reports.values()]
    return {
        "catalogue": catalogue.source,
        "catalogue_digest": catalogue.digest,
        "products_digest": _products_digest(catalogue, items),
        "content_digest": hashlib.sha256(json.dumps(sources).encode()).hexdigest(),
        "records": sum(report["records"] for report in reports.values()),
        "shards": {name: report["records"] for name, report in reports.items()},
        "products": len({item.product.product_id for item in items}),
        "categories": list(catalogue.category_names),
        "subcategories": list(catalogue.subcategory_names),
        **content.described,
        "crops_kept_whole": sum(report["crops_kept_whole"] for report in reports.values()),
        "reasons_for_whole": dict(_reasons_in(reports.values()).most_common()),
        **_shared(reports.values()),
        "skipped": skipped,
        "catalogue_lines_skipped": list(catalogue.unusable),
        "also_in_other_splits": _also_elsewhere(catalogue, split),
    }


def _reasons_in(reports: Iterable[dict]) -> collections.Counter:
    return sum(
        (collections.Counter(report.get("reasons_for_whole", {})) for report in reports),
        collections.Counter(),
    )


def _shared(reports: Iterable[dict]) -> dict:
    """How many records hold no photo, where photos are shared."""
    counts = [r["records_without_photo"] for r in reports if "records_without_photo" in r]
    return {"records_without_photo": sum(counts)} if counts else {}


def _products_digest(catalogue: Catalogue, items: list[Item]) -> str:
    """Of the texts, classes and photos' names of a split."""
    rows = [
        [
            item.product.product_id,
            item.text,
            item.product.title,
            item.product.category,
            item.product.subcategory,
            item.image.image_id,
        ]
        for item in items
    ]
    names = [catalogue.category_names, catalogue.subcategory_names]
    return hashlib.sha256(json.dumps([names, rows]).encode()).hexdigest()


def _also_elsewhere(catalogue: Catalogue, split: str) -> list[str]:
    pairs = duplicates_across_splits(catalogue.products)
    products = [product for pair in pairs for product in (pair.first, pair.second)]
    return sorted({product.product_id for product in products if product.split == split})
