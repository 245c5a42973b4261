"""Which record, text and donor make the example at a position: a function of (seed, epoch,
position) alone.

Everything here is NumPy on the record table, drawn a block at a time, so that any run can start in
the middle and anybody can look at what will be shown. Features are read later (pipeline.py).
"""

import dataclasses
import enum
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from kaleido_tf.data.record_table import RecordTable
from kaleido_tf.data.text_lengths import grouped_by_length
from kaleido_tf.errors import InputError
from kaleido_tf.records.views import PLAIN

NEGATIVES = ("subcategory", "any", "rising", "none")


@dataclasses.dataclass(frozen=True)
class Block:
    """Examples drawn from a few shards that are in memory together.

    Attributes (n = examples):
      files: shards to read, in this order.
      rows: [n] int row of the table that is shown. records: [n] int32 the same, as its number
        within the block's files.
      donors: [n] int32 record of another product, which gives the camouflaged patch, or another one
        of the same product; None where the family needs none.
      texts: [n] int32 row of the text shown. matched: [n] bool, True if it is the record's own.
      positions: [n] int64, epoch * N + place in the epoch; the seed of everything drawn for the
        example.
    """

    files: list[str]
    rows: np.ndarray
    records: np.ndarray
    donors: np.ndarray | None
    texts: np.ndarray
    matched: np.ndarray
    positions: np.ndarray


@dataclasses.dataclass(frozen=True)
class DrawnExample:
    """One example of the order: the record shown, the donor (both rows of the table), the row of
    the text shown, whether that is the record's own, and the position as in `Block`.
    """

    record: int
    donor: int | None
    text: int
    matched: bool
    position: int


class ExampleOrder:
    """The endless order of training examples, or one pass over them in file order.

    Args:
      table: the records.
      seed: of everything drawn.
      shuffle: False keeps file order (evaluation).
      negatives: where the text of a mismatched pair comes from: a product of the same `subcategory`
        (section 4.2: hard to tell apart), `any` product, or `rising`: any product at first, and a
        share of the same sub-category that rises to all of them in `rise_epochs`, so that a model
        trained from scratch finds the coarse differences first. `none`: every image is shown with
        its own text.
      donors: whether a record of another product is drawn beside each (for camouflaged patches).
      same_product: whether the donor is of the same product instead: any of its records in the
        block, the one that is shown too (for contrast between views).
      plain_only: whether other views of photos than the plain one are left out.
      group_size: examples of a batch, which then have texts of like length; 0: of any.
      block_bytes: how much of the shards is shuffled together; the rest of the mixing is the order
        of shards.
    """

    def __init__(
        self,
        table: RecordTable,
        seed: int,
        shuffle: bool = True,
        negatives: str = "subcategory",
        rise_epochs: float = 30.0,
        donors: bool = True,
        same_product: bool = False,
        plain_only: bool = False,
        group_size: int = 0,
        block_bytes: int = 512 << 20,
    ):
        if negatives not in NEGATIVES:
            raise InputError(
                f"`negatives` must be one of {', '.join(NEGATIVES)}. Received: {negatives}"
            )
        strangers = donors and not same_product
        if (negatives != "none" or strangers) and len(set(table.product_ids)) < 2:
            raise InputError(
                "Mismatched texts (and camouflaged patches) need at least 2 products. Received: 1"
            )
        self.table, self.seed, self.shuffle = table, seed, shuffle
        self.negatives, self.rise_epochs, self.donors = negatives, rise_epochs, donors
        self.same_product, self.group_size = same_product, group_size
        self._is_used = (table.views == PLAIN) | (not plain_only)
        self._file_bytes = table.file_bytes
        self._block_bytes = block_bytes
        self._all_texts = np.unique(table.texts)
        self._group_texts = self._texts_by_subcategory()

    def __len__(self) -> int:
        """Examples an epoch."""
        return int(self._is_used.sum())

    @property
    def alone(self) -> int:
        """Records without any other text to be mismatched with; they are always shown with their
        own.
        """
        if self.negatives == "none":
            return 0
        if self.negatives != "subcategory":
            return len(self.table) if len(self._all_texts) < 2 else 0
        return sum(len(self._group_texts[group]) < 2 for group in self.table.subcategories)

    def _texts_by_subcategory(self) -> dict[int, np.ndarray]:
        """Sub-category -> the different texts that its records have, in rising order."""
        groups = self.table.subcategories
        order = np.argsort(groups, kind="stable")
        cuts = np.flatnonzero(np.diff(groups[order])) + 1
        return {
            int(groups[part[0]]): np.unique(self.table.texts[part])
            for part in np.split(order, cuts)
        }

    def blocks(self, start: int = 0, epochs: int | None = None) -> Iterator[Block]:
        """Blocks from position `start` on, for `epochs` epochs in all (None: without end)."""
        epoch, skip = divmod(start, len(self))
        while epochs is None or epoch < epochs:
            position = epoch * len(self)
            for number, files in enumerate(self._file_blocks(epoch)):
                count = int(self._is_used[self._rows_of(files)].sum())
                if skip >= count:
                    skip -= count
                elif count:
                    yield self._draw(files, epoch, number, position, skip)
                    skip = 0
                position += count
            epoch += 1

    def examples_of(self, image_id: str, start: int = 0) -> Iterator[DrawnExample]:
        """The examples that show one image of the table (of several views the plain one), from
        position `start` on, without end: one an epoch.
        """
        (record, *_) = self.table.records_of_photos()[image_id]
        numbers = {file: number for number, file in enumerate(self.table.files)}
        for block in self.blocks(start):
            rows = self._rows_of([numbers[file] for file in block.files])
            for place in np.flatnonzero(rows[block.records] == record):
                yield DrawnExample(
                    record=record,
                    donor=int(rows[block.donors[place]]) if self.donors else None,
                    text=int(block.texts[place]),
                    matched=bool(block.matched[place]),
                    position=int(block.positions[place]),
                )

    def _rows_of(self, files: list[int]) -> np.ndarray:
        """The rows of the table that lie in these files, one file after the other."""
        starts = self.table.file_starts
        return np.concatenate([np.arange(starts[file], starts[file + 1]) for file in files])

    def _file_blocks(self, epoch: int) -> list[list[int]]:
        """The shards of an epoch in their order, grouped into blocks of at most `block_bytes`."""
        order = np.arange(len(self.table.files))
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch]).permutation(order)
        blocks: list[list[int]] = []
        room = 0
        for number in order.tolist():
            if not blocks or self._file_bytes[number] > room:
                blocks.append([])
                room = self._block_bytes
            blocks[-1].append(number)
            room -= self._file_bytes[number]
        return blocks

    def _draw(self, files: list[int], epoch: int, number: int, position: int, skip: int) -> Block:
        """Draws a whole block, then leaves out its first `skip` examples: a late start changes
        nothing after it.
        """
        table = self.table
        generator = np.random.default_rng([self.seed, epoch, number, 1])
        rows = self._rows_of(files)
        used = np.flatnonzero(self._is_used[rows])
        count = len(used)
        shown = used[generator.permutation(count)] if self.shuffle else used
        # Exactly one in two is mismatched, in every block.
        matched = (generator.permutation(count) % 2 == 0) | (self.negatives == "none")
        texts, matched = self._pair_texts(generator, rows[shown], matched, self.near_share(epoch))
        draw_donors = _draw_siblings if self.same_product else _draw_strangers
        products = table.product_ids[rows]
        donors = draw_donors(generator, products, used, shown) if self.donors else None
        keep = np.arange(count)
        if self.group_size:
            lengths, head = table.lengths[texts], -position % self.group_size
            keep = grouped_by_length(generator, lengths, self.group_size, head)
        keep = keep[skip:]
        return Block(
            files=[table.files[f] for f in files],
            rows=rows[shown][keep],
            records=shown[keep].astype(np.int32),
            donors=None if donors is None else donors[keep].astype(np.int32),
            texts=texts[keep],
            matched=matched[keep],
            positions=np.arange(position, position + count, dtype=np.int64)[keep],
        )

    def near_share(self, epoch: int) -> float:
        """Share of the mismatched texts that come from the same sub-category."""
        rising = min(epoch / self.rise_epochs, 1.0)
        return {"subcategory": 1.0, "any": 0.0, "rising": rising, "none": 0.0}[self.negatives]

    def _pair_texts(self, generator, rows, matched, near_share) -> tuple[np.ndarray, np.ndarray]:
        """Each row's own text, or another one; a row to which there is no other keeps its own."""
        texts, matched = self.table.texts[rows].copy(), matched.copy()
        groups = self.table.subcategories[rows]
        draws = generator.random(len(rows))
        is_near = generator.random(len(rows)) < near_share
        for place in np.flatnonzero(~matched):
            others = self._group_texts[int(groups[place])] if is_near[place] else self._all_texts
            if len(others) < 2 and self.negatives == "rising":
                others = self._all_texts
            if len(others) < 2:
                matched[place] = True
                continue
            choice = int(draws[place] * (len(others) - 1))
            choice += choice >= np.searchsorted(others, texts[place])  # skips the own text
            texts[place] = others[choice]
        return texts, matched


def _draw_strangers(generator, products, used, shown) -> np.ndarray:
    """A record of another product within the block for each example, as its place in the block.

    Args: products: of each place. used, shown: the places that may be drawn, and of the examples.
    """
    donors = used[generator.integers(0, len(used), len(used))]
    for place in np.flatnonzero(products[donors] == products[shown]):
        others = used[products[used] != products[shown[place]]]
        if not len(others):
            raise InputError(
                "A camouflaged patch needs another product in the same block of shards."
                f" Product {products[0]} fills its shards alone: write records with larger"
                " --records_per_shard"
            )
        donors[place] = others[generator.integers(len(others))]
    return donors


def _draw_siblings(generator, products, used, shown) -> np.ndarray:
    """As `_draw_strangers`, of the same product; the example's own record is one of them."""
    _, numbers = np.unique(products.astype(str), return_inverse=True)
    by_product = used[np.argsort(numbers[used], kind="stable")]
    sorted_numbers = numbers[by_product]
    first, last = (np.searchsorted(sorted_numbers, numbers[shown], s) for s in ("left", "right"))
    return by_product[generator.integers(first, last)]


class Draw(enum.IntEnum):
    """What is drawn within an example: each purpose has a seed of its own (`fold`). The numbers
    decide what a run shows; a new purpose takes a new one.
    """

    TOKENS = 1
    PATCHES = 2
    PAIR_ORDER = 3
    PAIR_SIDE = 4
    REPLACEMENT = 5
    RANDOM_TOKEN = 6
    ROTATION = 7
    JIGSAW = 8
    DONOR_PATCH = 9
    IMAGE_CELLS = 10
    IMAGE_ROWS = 11
    IMAGE_CUT = 12
    IMAGE_MIRROR = 13
    IMAGE_BLOCKS = 14
    OTHER_IMAGE = 15
    HIDDEN_WORDS = 16
    HIDDEN_TOKENS = 17
    MISMATCH = 18


def fold(seed: tf.Tensor, purpose: Draw) -> tf.Tensor:
    """The seed [2] of one purpose within an example."""
    return tf.random.experimental.stateless_fold_in(seed, int(purpose))


def row_seed(row: dict, seed: int) -> tf.Tensor:
    """The seed [2] of everything that is drawn for a row."""
    return tf.stack([tf.constant(seed, tf.int64), row["position"]])
