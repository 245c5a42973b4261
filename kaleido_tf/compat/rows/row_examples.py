"""Rows of the originals' bundles as a run's examples: static pairs, masks and puzzles, in a new
order every epoch.
"""

import collections
import concurrent.futures
import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from kaleido_tf.compat.rows.row_columns import RowFormat
from kaleido_tf.compat.rows.row_files import RowFiles
from kaleido_tf.data.batch_parts import WHOLE, Part, batches_of_part, in_part

CHUNK = 4
"""Rows that are read and decoded at once, by one thread."""

TEXT_CHUNK = 64
"""The same where only a few columns of text are wanted."""


class RowExamples:
    """The examples of a run from rows.

    The order of an epoch is a permutation of all rows, a function of (seed, epoch) alone, so that a
    run that is resumed goes on where it was. (The original shuffles what happens to be in a buffer
    of 4,096 rows, in an order that no two runs share.)

    Args:
      rows: the rows. form: how they are read.
      make_inputs: further inputs (labels) from renamed columns, or None.
    """

    def __init__(
        self,
        rows: RowFiles,
        form: RowFormat,
        seed: int,
        make_inputs: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None,
    ):
        self.rows, self.form, self.seed, self._make_inputs = rows, form, seed, make_inputs
        # One row shows shapes and types, and whether rows can be read at all, before a model is
        # built.
        first = self._read(np.array([0]))
        self._signature = {
            name: tf.TensorSpec([None, *array.shape[1:]], array.dtype)
            for name, array in first.items()
        }

    def __len__(self) -> int:
        """The number that the list file sets, or else all rows, as in the original."""
        return self.rows.listed_count or len(self.rows)

    @property
    def digest(self) -> int:
        """A number that says which rows these are, wherever their files lie."""
        return self.rows.digest

    def describe(self) -> str:
        """How many rows and files, for the log."""
        return f"{len(self.rows)} rows of {len(self.rows.files)} files"

    def notes(self) -> list[str]:
        """What somebody who starts a run on these should know."""
        if self.rows.listed_count and self.rows.listed_count != len(self.rows):
            return [
                f"the list file says {self.rows.listed_count} examples, the files hold"
                f" {len(self.rows)}: steps are counted by the former"
            ]
        return []

    def sample_features(self, count: int) -> np.ndarray:
        """[<= count, P, F] float32: patch features of rows spread evenly over all."""
        numbers = np.unique(
            np.linspace(0, len(self.rows) - 1, min(len(self.rows), count)).astype(int)
        )
        parts = [self._read(chunk) for chunk in _chunks(numbers)]
        names = [name for name in parts[0] if name.endswith("_features")]
        return np.concatenate(
            [np.concatenate([part[name] for name in names], axis=1) for part in parts]
        )

    def training_batches(
        self, batch_size: int, start: int = 0, part: Part = WHOLE
    ) -> tf.data.Dataset:
        """Endless batches of model inputs from example `start` on, or a part of each, each epoch in
        an order of its own. Raises: tf.errors.OpError around the InputError of a row that cannot
        be read.
        """
        dataset = self._dataset(lambda: _of_part(self._order(start), batch_size, part))
        return batches_of_part(dataset, batch_size, part).prefetch(tf.data.AUTOTUNE)

    def evaluation_batches(self, batch_size: int, part: Part = WHOLE) -> tf.data.Dataset:
        """One pass in file order, or a part of each batch; the last batch may be smaller. Raises:
        as `training_batches`.
        """
        total = len(self.rows)
        numbers = np.arange(total)
        dataset = self._dataset(lambda: _of_part(_chunks(numbers), batch_size, part, total))
        return batches_of_part(dataset, batch_size, part, total).prefetch(tf.data.AUTOTUNE)

    def columns(self, names: tuple[str, ...]) -> list[np.ndarray]:
        """Single-valued columns of all rows by the original's names: [N] each."""
        declared = [column.name for column in self.rows.schema]
        by_name = dict(zip(self.form.names, declared))
        declared_names = [by_name[name] for name in names]
        parts = read_ahead(
            lambda numbers: self.rows.read(numbers, declared_names),
            _chunks(np.arange(len(self.rows)), TEXT_CHUNK),
        )
        columns = [[part[name].reshape(-1) for name in declared_names] for part in parts]
        return [np.concatenate(column) for column in zip(*columns)]

    def _order(self, start: int) -> Iterator[np.ndarray]:
        """Row numbers from example `start` on, in chunks, without end."""
        epoch, skip = divmod(start, len(self.rows))
        while True:
            numbers = np.random.default_rng([self.seed, epoch]).permutation(len(self.rows))[skip:]
            yield from _chunks(numbers)
            epoch, skip = epoch + 1, 0

    def _dataset(self, chunks: Callable[[], Iterable[np.ndarray]]) -> tf.data.Dataset:
        generator = lambda: read_ahead(self._read, chunks())  # noqa: E731 (from_generator calls it anew for every pass)
        return tf.data.Dataset.from_generator(generator, output_signature=self._signature).unbatch()

    def _read(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        columns = self.form.rename(self.rows.read(numbers))
        self.form.check(columns, lambda number: self.rows.where(numbers[number]))
        inputs = self.form.model_inputs(columns)
        return {**inputs, **self._make_inputs(columns)} if self._make_inputs else inputs


def _chunks(numbers: np.ndarray, size: int = CHUNK) -> Iterator[np.ndarray]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def _of_part(
    chunks: Iterable[np.ndarray], batch_size: int, part: Part, total: int | None = None
) -> Iterator[np.ndarray]:
    """What a part of the batches holds of chunks of row numbers. Args: total: as `in_part`."""
    place = 0
    for chunk in chunks:
        mine = chunk[in_part(place + np.arange(len(chunk)), batch_size, part, total)]
        place += len(chunk)
        if len(mine):
            yield mine


def read_ahead(read: Callable, chunks: Iterable) -> Iterator:
    """`read` of every chunk in order, some ahead of what is asked for, on all cores (reading and
    decoding release the lock).
    """
    workers = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque()
        for chunk in chunks:
            waiting.append(pool.submit(read, chunk))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
