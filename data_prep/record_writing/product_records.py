"""A catalogue to record shards: the work behind `write_kaleido_records` and its neighbours,
whatever records hold of a photo.

Each split gets its own folder: shards, `settings.json` (what decides their content) and, when all
shards are complete, `dataset.json` (counts, shapes, digests, what was skipped and why) and
`vocab.txt`.
"""

import concurrent.futures
import hashlib
import os
import pathlib

from data_prep.catalogue.products import Catalogue, image_owners
from data_prep.foreground.product_crops import ProductCrops, build_crops
from data_prep.record_writing.finished_shards import FinishedShards, Shard
from data_prep.record_writing.photo_content import PhotoContent
from data_prep.record_writing.photo_shards import write_one_shard
from data_prep.record_writing.record_description import description
from data_prep.record_writing.record_settings import Item, RecordSettings, product_text
from data_prep.record_writing.shard_sources import shard_sources
from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import claim_folder
from kaleido_tf.files.text_files import read_text
from kaleido_tf.files.tfrecord_files import shard_path
from kaleido_tf.files.whole_files import write_bytes
from kaleido_tf.progress import Progress
from kaleido_tf.records.dataset_json import read_dataset_json
from kaleido_tf.records.record import RECORD_VERSION
from kaleido_tf.text import Tokenizer, Vocabulary


def write_records(
    catalogue: Catalogue,
    split: str,
    output_dir: str | os.PathLike,
    content: PhotoContent,
    crops: ProductCrops | None = None,
) -> dict:
    """Writes the records of one split into `output_dir/split` and returns its `dataset.json`.

    Shards that are there already are skipped, so an interrupted run goes on where it stopped.
    Args: content: what the records hold of the photos, with their settings. crops: built ones, to
      share them between splits; None builds them from the settings.
    Raises: InputError for anything the user can mend (see `RecordSettings.on_bad_record`).
    """
    products, settings = catalogue.of_split(split), content.settings
    folder = pathlib.Path(output_dir) / split
    vocabulary = Vocabulary(settings.vocabulary)
    crops = crops or build_crops(
        settings.foreground,
        settings.foreground_weights,
        settings.foreground_masks,
        image_owners(catalogue),
        settings.foreground_preprocessing,
    )
    identity = _identity(catalogue, split, content, crops)
    finished = FinishedShards(folder)
    claim_folder(folder, identity, outdated=("products_digest",))
    items, skipped = _items(products, settings, Tokenizer(vocabulary))
    plan = _plan(folder, items, catalogue, settings, crops)
    shards = {name: finished.find(name, source) for name, (source, _) in plan.items()}
    tally = _BadTally(settings, len(items) + len(skipped), folder)
    waiting = [item for name, (_, part) in plan.items() if not shards[name] for item in part]
    tally.check(skipped + _skipped_in(shards) + _bad_headers(waiting, settings, crops))
    with Progress(split, len(items), "images") as progress:
        progress.skipped(len(items) - len(waiting))
        for name, (source, part) in plan.items():
            if shards[name] is None:
                path = finished.place / name
                report = write_one_shard(path, source, part, catalogue, content, crops)
                shards[name] = Shard(path, report)
                progress.done(len(part))
                tally.check(skipped + _skipped_in(shards))
    skipped += _skipped_in(shards)
    reports = {name: shard.report for name, shard in shards.items()}
    dataset = description(catalogue, split, items, skipped, content, reports)
    return _complete(finished, folder, {**identity, **dataset}, shards, settings)


def _plan(folder, items, catalogue, settings, crops) -> dict[str, tuple[str, list[Item]]]:
    """Name of each shard -> what it is made of (see `shard_sources`), and its items."""
    size = settings.records_per_shard
    shards = [items[i : i + size] for i in range(0, len(items), size)]
    names = [shard_path(folder, number, len(shards)).name for number in range(len(shards))]
    sources = shard_sources(shards, catalogue, crops)
    return dict(zip(names, zip(sources, shards, strict=True), strict=True))


def _skipped_in(shards: dict[str, Shard | None]) -> list[dict]:
    return [entry for shard in shards.values() if shard for entry in shard.report["skipped"]]


def _complete(
    finished: FinishedShards,
    folder: pathlib.Path,
    dataset: dict,
    shards: dict[str, Shard],
    settings: RecordSettings,
) -> dict:
    """Puts the shards in their places and returns the `dataset.json` that it writes."""
    alignments = finished.alignments(shards)
    if alignments:
        dataset["alignments"] = alignments
    _say_what_changed(finished, folder, shards, alignments)
    finished.put_in_place(shards)
    if not (folder / "vocab.txt").is_file():
        write_bytes(folder / "vocab.txt", read_text(settings.vocabulary).encode())
    finished.complete(dataset, shards)
    return read_dataset_json(folder)


def _say_what_changed(finished, folder, shards, alignments) -> None:
    rewritten = sum(not shard.is_old for shard in shards.values())
    if not finished.before:
        return
    if not rewritten:
        print(f"{folder} is complete already: nothing to do", flush=True)
        return
    print(
        f"{folder}: {rewritten} of {len(shards)} shards were written anew, since photos, texts or"
        " classes changed",
        flush=True,
    )
    if alignments:
        print(
            f"{folder}: the alignments of these shards went with them. Training refuses the records"
            " until data_prep.write_alignments is run on them again",
            flush=True,
        )


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


def _identity(catalogue, split, content: PhotoContent, crops) -> dict:
    """The settings that decide the content of every shard; records of others are refused. What is
    different from shard to shard is in `shard_sources`.
    """
    settings = content.settings
    return {
        "record_version": RECORD_VERSION,
        "split": split,
        **content.identity,
        "foreground": settings.foreground,
        "text_field": settings.text_field,
        "records_per_shard": settings.records_per_shard,
        **crops.identity,
        # only where it is asked for: records made before there was a choice stay what they are
        **({"keep_markup": True} if catalogue.keep_markup else {}),
        "vocabulary_digest": hashlib.sha256(read_text(settings.vocabulary).encode()).hexdigest(),
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


def _bad_headers(waiting: list[Item], settings: RecordSettings, crops: ProductCrops) -> list[dict]:
    """What the headers of the photos (and masks) still to be read show to be bad, before hours go
    into the good ones.

    Raises: InputError for the first one, unless bad ones are skipped.
    """

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
