"""The shards of one split as pieces of work: which photos each holds, and how any one is written.

Shard n is a function of the catalogue, the settings and n alone. Neither the other shards nor the
order nor the process in which it is written change a bit of it, on processors of one kind; so any
number of workers may share the work (`runners.py`).
"""

import functools
import hashlib
import pathlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from data_prep.catalogue.products import Catalogue, Product, image_owners
from data_prep.foreground.product_crops import ProductCrops, build_crops
from data_prep.record_writing.finished_shards import FinishedShards
from data_prep.record_writing.photo_content import PhotoContent
from data_prep.record_writing.photo_shards import CutShard, cut_shard, write_cut_shard
from data_prep.record_writing.record_settings import Item, RecordSettings, product_text
from data_prep.record_writing.shard_sources import shard_sources
from kaleido_tf.errors import InputError
from kaleido_tf.files.text_files import read_text
from kaleido_tf.files.tfrecord_files import shard_path
from kaleido_tf.records.record import RECORD_VERSION
from kaleido_tf.text import Tokenizer, Vocabulary


def build_product_crops(settings: RecordSettings, catalogue: Catalogue) -> ProductCrops:
    """What finds the products of a catalogue. Raises: InputError as `build_crops`."""
    return build_crops(
        settings.foreground,
        settings.foreground_weights,
        settings.foreground_masks,
        image_owners(catalogue),
        settings.foreground_preprocessing,
    )


class ShardOrder(NamedTuple):
    """A shard that is to be written: its number, and what it is made of (see `shard_sources`)."""

    number: int
    source: str


class SplitShards:
    """The work of one split.

    Args: content: what the records hold of the photos, with their settings. crops: what finds the
      products.
    Attributes: items: every image that is to be recorded, in the order of the catalogue; with
      `share_photos` those of one file stand where the first of them does. skipped:
      those left out for want of a text, and why. shards: the items of each shard.
    Raises: InputError for an unknown split, and a product without a text unless such are skipped.
    """

    def __init__(
        self, catalogue: Catalogue, split: str, content: PhotoContent, crops: ProductCrops
    ):
        self.catalogue, self.split = catalogue, split
        self.content, self.crops = content, crops
        settings = content.settings
        tokenizer = Tokenizer(Vocabulary(settings.vocabulary))
        self.items, self.skipped = _items(catalogue.of_split(split), settings, tokenizer)
        if settings.share_photos:
            self.items = _side_by_side(self.items)
        size = settings.records_per_shard
        self.shards = [self.items[i : i + size] for i in range(0, len(self.items), size)]

    @functools.cached_property
    def identity(self) -> dict:
        """The settings that decide the content of every shard; records of others are refused. What
        is different from shard to shard is in `sources`.
        """
        settings, vocabulary = self.content.settings, read_text(self.content.settings.vocabulary)
        return {
            "record_version": RECORD_VERSION,
            "split": self.split,
            **self.content.identity,
            "foreground": settings.foreground,
            "text_field": settings.text_field,
            "records_per_shard": settings.records_per_shard,
            **self.crops.identity,
            # only where it is asked for: records made before there was a choice stay what they are
            **({"keep_markup": True} if self.catalogue.keep_markup else {}),
            **({"share_photos": True} if settings.share_photos else {}),
            "vocabulary_digest": hashlib.sha256(vocabulary.encode()).hexdigest(),
        }

    def orders(self) -> list[ShardOrder]:
        """One a shard. Every photo is read once."""
        sources = shard_sources(self.shards, self.catalogue, self.crops)
        return [ShardOrder(number, source) for number, source in enumerate(sources)]

    def name(self, number: int) -> str:
        """The file name of shard `number`."""
        return shard_path(pathlib.Path(), number, len(self.shards)).name

    def cut(self, number: int) -> CutShard:
        """The first half of the work on a shard, which asks nothing of the backbone: its photos
        read and cropped. Raises: InputError for a bad one, unless such are skipped.
        """
        return cut_shard(self.shards[number], self.content, self.crops)

    def finish(self, order: ShardOrder, cut: CutShard, place: pathlib.Path) -> None:
        """The second half: its records made, and written into `place` as a whole file with its
        report beside it.
        """
        path = place / self.name(order.number)
        write_cut_shard(path, order.source, cut, self.catalogue, self.content)

    def write(self, order: ShardOrder, place: pathlib.Path) -> None:
        """Both halves: shard `order.number`."""
        self.finish(order, self.cut(order.number), place)


class ShardRunner(Protocol):
    """Who writes the shards of a split, one process or many."""

    def run(
        self, work: SplitShards, finished: FinishedShards, orders: list[ShardOrder]
    ) -> Iterator[list[int]]:
        """Writes shards into `finished.place`, and yields the numbers of those that are there since
        the last time.

        Raises: InputError of the first bad photo, unless such are skipped.
        """


def _items(
    products: tuple[Product, ...], settings: RecordSettings, tokenizer: Tokenizer
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


def _side_by_side(items: list[Item]) -> list[Item]:
    first: dict[str, int] = {}
    # photos without a file of their own are each by themselves
    names = [item.image.path or f"\0{number}" for number, item in enumerate(items)]
    places = [first.setdefault(name, number) for number, name in enumerate(names)]
    return [items[number] for number in sorted(range(len(items)), key=places.__getitem__)]
