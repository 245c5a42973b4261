"""The rows that examples are made of, read block by block in the order that sampling.py set."""

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from kaleido_tf.data.batch_parts import Part, in_part
from kaleido_tf.data.sampling import Block, ExampleOrder
from kaleido_tf.records.shared_photos import open_shards


class BlockRows:
    """Rows before anything is drawn on their content: serialized record (and donor), text, label,
    position, and what `columns` say of the record.

    Args:
      order: of the examples. start: the first one's position, where a batch begins. epochs: None:
        without end.
      columns: name -> [N, ...] array of the table's records.
      batch_size, part: which rows are wanted, as `batch_parts.in_part`.
    """

    def __init__(
        self,
        order: ExampleOrder,
        start: int,
        epochs: int | None,
        columns: Mapping[str, np.ndarray],
        batch_size: int,
        part: Part,
    ):
        self._order, self._start, self._epochs = order, start, epochs
        self._columns, self._batch_size, self._part = columns, batch_size, part
        self._numbers = {"record": "records", **({"donor": "donors"} if order.donors else {})}

    def blocks(self) -> Iterator[dict[str, np.ndarray]]:
        """What is drawn of each block of shards, as `signature`; blocks without a wanted row are
        left out.
        """
        total = None if self._epochs is None else self._epochs * len(self._order)
        place = 0
        for block in self._order.blocks(self._start, self._epochs):
            places = place + np.arange(len(block.rows))
            mine = in_part(places, self._batch_size, self._part, total)
            place += len(places)
            if mine.any():
                yield self._values(block, mine)

    def _values(self, block: Block, mine: np.ndarray) -> dict[str, np.ndarray]:
        table, texts = self._order.table, block.texts[mine]
        return {
            "files": np.array(block.files, object),
            **{name: getattr(block, column)[mine] for name, column in self._numbers.items()},
            "input_ids": table.sequences[texts],
            "used": table.lengths[texts],
            "matched": block.matched[mine],
            "position": block.positions[mine],
            **{name: values[block.rows[mine]] for name, values in self._columns.items()},
        }

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        """Shapes and types of what `blocks` yields."""
        length = self._order.table.sequences.shape[1]
        return {
            "files": tf.TensorSpec([None], tf.string),
            **{name: tf.TensorSpec([None], tf.int32) for name in self._numbers},
            "input_ids": tf.TensorSpec([None, length], tf.int32),
            "used": tf.TensorSpec([None], tf.int32),
            "matched": tf.TensorSpec([None], tf.bool),
            "position": tf.TensorSpec([None], tf.int64),
            **{
                name: tf.TensorSpec([None, *values.shape[1:]], values.dtype)
                for name, values in self._columns.items()
            },
        }

    def dataset(self) -> tf.data.Dataset:
        """All blocks, drawn by this process."""
        return tf.data.Dataset.from_generator(self.blocks, output_signature=self.signature)

    def rows(self, blocks: tf.data.Dataset) -> tf.data.Dataset:
        """The rows of a dataset of blocks, one after the other."""

        def read(block):
            files = block.pop("files")
            records = open_shards(files, self._order.table.shares_photos)
            return block, records.batch(1 << 31).get_single_element()

        def gathered(block, serialized):
            def gather(row):
                return {**row, **{name: tf.gather(serialized, row[name]) for name in self._numbers}}

            return tf.data.Dataset.from_tensor_slices(block).map(gather)

        # One block is read ahead while the one before is used.
        return blocks.map(read).prefetch(1).flat_map(gathered)
