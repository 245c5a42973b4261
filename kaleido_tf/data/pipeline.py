"""Records to batches (section 3.4 to 3.6): read -> pair -> change by the family's tasks -> batch.

The order of the steps: blocks of shards are read whole while the one before is being used; examples
  are then drawn
one by one in the order that sampling.py set, changed in parallel, and batched. Nothing is shuffled
here.
"""

import copy
import hashlib
import types
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from kaleido_tf.data.batch_parts import WHOLE, Part, batches_of_part
from kaleido_tf.data.block_rows import BlockRows
from kaleido_tf.data.data_service import DataService
from kaleido_tf.data.examples_config import ExamplesConfig
from kaleido_tf.data.record_table import RecordTable, read_evenly, read_serialized
from kaleido_tf.data.sampling import DrawnExample, ExampleOrder
from kaleido_tf.data.text_lengths import trim_texts
from kaleido_tf.records.views import PLAIN

TEXT_INPUTS = (
    "input_ids",
    "input_mask",
    "segment_ids",
    "next_sentence_label",
    "masked_lm_positions",
    "masked_lm_ids",
    "masked_lm_weights",
)
"""What every family's model takes of the text."""


class RecordExamples:
    """The examples that a run makes of its records, epoch after epoch.

    Args:
      table: the records.
      make_example: turns a row (`record` serialized, `input_ids` [S], `used`, `matched`, `position`
        and, where asked for, `donor` serialized) into a dict of what the model takes; its draws
        depend on the row's `position` only.
      donors: whether a row holds a record of another product beside its own. same_product: whether
        that is one of the same product instead.
      negatives: as `ExampleOrder`; None: as the config says.
      columns: name -> [N, ...] array of the table's records, whose values a row holds, too.
      plain_only: whether other views of photos than the plain one are left out.
      make_evaluated: as `make_example`, of what is evaluated; None: the same.
    """

    def __init__(
        self,
        table: RecordTable,
        make_example: Callable[[dict], dict],
        config: ExamplesConfig,
        donors: bool = False,
        same_product: bool = False,
        negatives: str | None = None,
        columns: Mapping[str, np.ndarray] = types.MappingProxyType({}),
        plain_only: bool = False,
        make_evaluated: Callable[[dict], dict] | None = None,
    ):
        self.table, self.make_example, self.config = table, make_example, config
        self.make_evaluated = make_evaluated or make_example
        self.negatives = negatives or config.negatives
        self.donors, self.same_product = donors, same_product
        self.columns, self.plain_only = columns, plain_only
        self.service: DataService | None = None

    def __len__(self) -> int:
        return int((self.table.views == PLAIN).sum()) if self.plain_only else len(self.table)

    def of_plain_views(self) -> "RecordExamples":
        """Those of each photo as it is, without its other views."""
        plain = copy.copy(self)
        plain.plain_only = True
        return plain

    def through_service(self, address: str, streams: int, timeout: int) -> "RecordExamples":
        """The same examples, made by the workers of a tf.data service. Args: as `DataService`.

        Raises: InputError if the service does not answer.
        """
        served = copy.copy(self)
        served.service = DataService(address, streams, timeout)
        served.service.check()
        return served

    @property
    def digest(self) -> int:
        """A number that says which images, texts and alignments these are, wherever their files
        lie.
        """
        digest = hashlib.sha256(self.table.sequences[self.table.texts].tobytes())
        digest.update("\n".join(self.table.image_ids).encode())
        digest.update(self.table.alignments.encode())
        digest.update(self.table.contents.encode())
        return int.from_bytes(digest.digest()[:8], "big", signed=True)

    def describe(self) -> str:
        """How many images (each view of a photo is one) and shards, for the log."""
        others = len(self) - int((self.table.views == PLAIN).sum())
        views = f" ({others} of them mirrored)" if others else ""
        return f"{len(self)} images{views} in {len(self.table.files)} shards"

    def notes(self) -> list[str]:
        """What somebody who starts a run on these should know."""
        table, notes = self.table, []
        length = table.sequences.shape[1]
        cut = int((table.lengths == length).sum())
        if cut:
            # What stands last in a text is often what tells two products apart.
            notes.append(
                f"{cut} of {len(table.lengths)} texts fill all {length} places of"
                " --input_sequence_length or are cut off there"
            )
        shared = _records_with_shared_text(table)
        if shared:
            notes.append(
                f"{shared} images share their text with another product: they are never mismatched"
                " with it"
            )
        alone = ExampleOrder(
            table,
            self.config.seed,
            negatives=self.negatives,
            donors=self.donors,
            same_product=self.same_product,
        ).alone
        if alone:
            notes.append(
                f"{alone} images have no other text in their {self.negatives}: they are"
                " always shown with their own"
            )
        return notes

    def sample_features(self, count: int) -> np.ndarray:
        """Features [n, P, F] float32 of at most `count` images, to measure their size on."""
        return read_evenly(self.table, count)[1].astype(np.float32)

    def training_batches(
        self, batch_size: int, start: int = 0, part: Part = WHOLE
    ) -> tf.data.Dataset:
        """Endless batches from example `start` on, or a part of each: dicts as the model's
        `pretraining_inputs`.
        """
        order = self.training_order(batch_size)
        batches = self._batches(order, batch_size, start, None, part)
        return batches.map(trim_texts) if self.config.group_by_length else batches

    def training_order(self, batch_size: int = 0) -> ExampleOrder:
        """Which image, text and donor stand where in `training_batches`. Args: batch_size: of them;
        it decides the order where texts of like length are grouped.
        """
        return ExampleOrder(
            self.table,
            self.config.seed,
            negatives=self.negatives,
            rise_epochs=self.config.rise_epochs,
            donors=self.donors,
            same_product=self.same_product,
            plain_only=self.plain_only,
            group_size=batch_size if self.config.group_by_length else 0,
        )

    def evaluation_batches(self, batch_size: int, part: Part = WHOLE) -> tf.data.Dataset:
        """One pass in file order, or a part of each batch; the draws are the same every time, the
        last batch may be smaller.
        """
        # What training rises to is what evaluation asks for from the start, so that its figures can
        # be compared.
        negatives = "subcategory" if self.negatives == "rising" else self.negatives
        order = ExampleOrder(
            self.table,
            self.config.seed,
            shuffle=False,
            negatives=negatives,
            donors=self.donors,
            same_product=self.same_product,
            plain_only=self.plain_only,
        )
        return self._batches(order, batch_size, 0, 1, part)

    def _batches(self, order, batch_size, start, epochs, part):
        rows = BlockRows(order, start, epochs, self.columns, batch_size, part)
        make = self.make_example if epochs is None else self.make_evaluated
        # No branch in them hangs on a tensor, and converting them takes seconds.
        make = tf.autograph.experimental.do_not_convert(make)

        def examples(blocks):
            return rows.rows(blocks).map(make, tf.data.AUTOTUNE, deterministic=True)

        if self.service is None:
            dataset = examples(rows.dataset())
        else:
            dataset = self.service.examples(rows, examples)
        batches = self._batched(dataset, batch_size, start, epochs, part)
        return batches.prefetch(tf.data.AUTOTUNE)

    def _batched(self, dataset, batch_size, start, epochs, part):
        """Batches of a part's examples from `start` on; a family may do more with each."""
        return batches_of_part(dataset, batch_size, part, None if epochs is None else len(self))


def _records_with_shared_text(table: RecordTable) -> int:
    products: dict[int, set[str]] = {}
    for text, product in zip(table.texts.tolist(), table.product_ids):
        products.setdefault(text, set()).add(product)
    return sum(len(products[text]) > 1 for text in table.texts.tolist())


def read_row(table: RecordTable, drawn: DrawnExample) -> dict[str, tf.Tensor]:
    """The row of one example, as `make_example` takes it, read without those around it."""
    donor = {} if drawn.donor is None else {"donor": read_serialized(table, drawn.donor)}
    return {
        "record": read_serialized(table, drawn.record),
        **donor,
        "input_ids": tf.constant(table.sequences[drawn.text]),
        "used": tf.constant(table.lengths[drawn.text]),
        "matched": tf.constant(drawn.matched),
        "position": tf.constant(drawn.position, tf.int64),
    }


def row_text(row: dict) -> dict:
    """The text's inputs and whether it is the image's own."""
    return {
        **text_inputs(row["input_ids"], row["used"]),
        "next_sentence_label": tf.cast(row["matched"], tf.int32),
    }


def text_inputs(ids: tf.Tensor, lengths: tf.Tensor) -> dict:
    """`input_ids`, `input_mask`, `segment_ids` [..., S] from padded ids [..., S] and the places
    used [...].
    """
    mask = tf.sequence_mask(lengths, ids.shape[-1], tf.int32)
    return {"input_ids": ids, "input_mask": mask, "segment_ids": tf.zeros_like(mask)}
