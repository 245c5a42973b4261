"""A catalogue to record shards: the work behind `write_kaleido_records` and its neighbours,
whatever records hold of a photo.

Each split gets its own folder: shards, `settings.json` (what decides their content) and, when all
shards are complete, `dataset.json` (counts, shapes, digests, what was skipped and why) and
`vocab.txt`.
"""

import concurrent.futures
import os
import pathlib

from data_prep.catalogue.products import Catalogue
from data_prep.foreground.product_crops import ProductCrops
from data_prep.record_writing.finished_shards import FinishedShards, Shard
from data_prep.record_writing.local_runner import LocalRunner
from data_prep.record_writing.photo_content import PhotoContent
from data_prep.record_writing.record_description import description
from data_prep.record_writing.record_settings import Item, RecordSettings
from data_prep.record_writing.split_shards import ShardRunner, SplitShards, build_product_crops
from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import claim_folder
from kaleido_tf.files.text_files import read_text
from kaleido_tf.files.whole_files import write_bytes
from kaleido_tf.progress import Progress
from kaleido_tf.records.dataset_json import read_dataset_json


def write_records(
    catalogue: Catalogue,
    split: str,
    output_dir: str | os.PathLike,
    content: PhotoContent,
    crops: ProductCrops | None = None,
    runner: ShardRunner | None = None,
) -> dict:
    """Writes the records of one split into `output_dir/split` and returns its `dataset.json`.

    Shards that are there already are skipped, so an interrupted run goes on where it stopped.
    Args: content: what the records hold of the photos, with their settings. crops: built ones, to
      share them between splits; None builds them from the settings. runner: who writes the shards;
      None: this process.
    Raises: InputError for anything the user can mend (see `RecordSettings.on_bad_record`).
    """
    settings = content.settings
    crops = crops or build_product_crops(settings, catalogue)
    work = SplitShards(catalogue, split, content, crops)
    folder = pathlib.Path(output_dir) / split
    finished = FinishedShards(folder)
    claim_folder(folder, work.identity, outdated=("products_digest",))
    shards = _all_shards(work, finished, runner or LocalRunner())
    skipped = work.skipped + _skipped_in(shards)
    reports = {name: shard.report for name, shard in shards.items()}
    dataset = description(catalogue, split, work.items, skipped, content, reports)
    return _complete(finished, {**work.identity, **dataset}, shards, settings)


def _all_shards(
    work: SplitShards, finished: FinishedShards, runner: ShardRunner
) -> dict[str, Shard]:
    """Name of each shard -> it, those that were missing written by `runner`."""
    orders = work.orders()
    shards = {
        work.name(number): finished.find(work.name(number), source) for number, source in orders
    }
    waiting = [order for order in orders if not shards[work.name(order.number)]]
    tally = _BadTally(work, finished.folder)
    items = [item for order in waiting for item in work.shards[order.number]]
    tally.check(_skipped_in(shards) + _bad_headers(items, work.content.settings, work.crops))
    with Progress(work.split, len(work.items), "images") as progress:
        progress.skipped(len(work.items) - len(items))
        for numbers in runner.run(work, finished, waiting):
            for number in numbers:
                name = work.name(number)
                shards[name] = finished.find(name, orders[number].source)
            progress.done(sum(len(work.shards[number]) for number in numbers))
            tally.check(_skipped_in(shards))
    return shards


def _skipped_in(shards: dict[str, Shard | None]) -> list[dict]:
    return [entry for shard in shards.values() if shard for entry in shard.report["skipped"]]


def _complete(
    finished: FinishedShards, dataset: dict, shards: dict[str, Shard], settings: RecordSettings
) -> dict:
    """Puts the shards in their places and returns the `dataset.json` that it writes."""
    folder = finished.folder
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


class _BadTally:
    """How much may be bad before even `skip` fails."""

    def __init__(self, work: SplitShards, folder: pathlib.Path):
        self._fraction, self._folder = work.content.settings.max_bad_fraction, folder
        self._without_text = work.skipped
        self._allowed = int(self._fraction * (len(work.items) + len(work.skipped)))

    def check(self, bad_photos: list[dict]) -> None:
        bad = self._without_text + bad_photos
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
