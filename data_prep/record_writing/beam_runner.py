"""Shards written by the workers of Apache Beam: `--runner=beam`. Needs the extra `beam`.

What travels to a worker is the name of the catalogue and the settings, and of each shard its number
and source: a worker reads the catalogue and builds the networks itself, once, and every worker
reads photos from, and writes shards to, the paths that the command was given.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
from apache_beam.utils.shared import Shared

from data_prep.catalogue.reading import read_catalogue
from data_prep.record_writing.beam_options import chosen_runner, read_options
from data_prep.record_writing.finished_shards import FinishedShards
from data_prep.record_writing.photo_content import PhotoContent
from data_prep.record_writing.record_settings import RecordSettings
from data_prep.record_writing.split_shards import ShardOrder, SplitShards, build_product_crops
from kaleido_tf.errors import InputError, raised_inside

_ASIDE = "worker-"
_PLACE_IN_PIPELINE = re.compile(r" \[while running '.*")


class BeamRunner:
    """A pipeline over the numbers of the shards, as `ShardRunner`.

    Args: options: as `beam_options.read_options` takes them.
    Raises: InputError for options and runners that cannot be used.
    """

    def __init__(self, options: Sequence[str]):
        self._options = read_options(options)
        self._runner = chosen_runner(self._options)

    def run(
        self, work: SplitShards, finished: FinishedShards, orders: list[ShardOrder]
    ) -> Iterator[list[int]]:
        """Writes shards, and yields their numbers when all are there.

        Raises: InputError of a bad photo, as the worker that met it says; and where the workers
          wrote to a place that is not this machine's.
        """
        if not orders:
            return
        print(
            f"{finished.folder}: {len(orders)} shards are written by Apache Beam's"
            f" {type(self._runner).__name__}",
            flush=True,
        )
        finished.place.mkdir(parents=True, exist_ok=True)
        try:
            self._run_pipeline(SplitJob.of(work, finished), orders)
        finally:
            for left in finished.place.glob(f"{_ASIDE}*"):  # of workers that were killed
                shutil.rmtree(left, ignore_errors=True)
        _check_all_there(work, finished, orders)
        yield [order.number for order in orders]

    def _run_pipeline(self, job: "SplitJob", orders: list[ShardOrder]) -> None:
        try:
            with beam.Pipeline(runner=self._runner, options=self._options) as pipeline:
                (
                    pipeline
                    | "Shards" >> beam.Create([tuple(order) for order in orders])
                    | "Spread" >> beam.Reshuffle()
                    | "Write" >> beam.ParDo(WriteShard(job))
                )
        except Exception as error:  # Beam hands on the text of a worker's error, in one of its own
            inside = raised_inside(error)
            if inside is None:
                raise
            raise InputError(_PLACE_IN_PIPELINE.sub("", str(inside))) from error


@dataclasses.dataclass(frozen=True)
class SplitJob:
    """What a worker needs to know of a split: small enough to travel with every piece of work.

    source, digest, keep_markup: of the catalogue. folder: of the split's records. content_of: makes
      the content from `settings`. identity: of the records.
    """

    source: str
    digest: str
    keep_markup: bool
    split: str
    folder: str
    content_of: Callable[[RecordSettings], PhotoContent]
    settings: RecordSettings
    identity: dict

    @classmethod
    def of(cls, work: SplitShards, finished: FinishedShards) -> "SplitJob":
        catalogue, content = work.catalogue, work.content
        return cls(
            catalogue.source,
            catalogue.digest,
            catalogue.keep_markup,
            work.split,
            os.path.abspath(finished.folder),
            type(content),
            content.settings,
            work.identity,
        )

    def rebuild(self) -> SplitShards:
        """The same work, on another machine perhaps. Raises: InputError if it is not the same."""
        catalogue = read_catalogue(self.source, skip_unusable=True, keep_markup=self.keep_markup)
        crops = build_product_crops(self.settings, catalogue)
        work = SplitShards(catalogue, self.split, self.content_of(self.settings), crops)
        differ = [
            f"{key}: {self.identity.get(key)!r} there, {work.identity.get(key)!r} here"
            for key in sorted({*self.identity, *work.identity})
            if self.identity.get(key) != work.identity.get(key)
        ]
        if catalogue.digest != self.digest:
            differ.append(f"the products of {self.source}")
        if differ:
            raise InputError(
                "Needed: a worker that sees the same files as the machine that started it."
                f" Received: others ({'; '.join(differ)}). Where: {socket.gethostname()}."
            )
        return work


class WriteShard(beam.DoFn):
    """Writes a shard. The catalogue is read, and the networks are built, once a process."""

    def __init__(self, job: SplitJob):
        self._job, self._shared = job, Shared()

    def setup(self) -> None:
        self._work = self._shared.acquire(self._job.rebuild)

    def process(self, order: tuple[int, str]) -> Iterator[int]:
        order = ShardOrder(*order)
        finished = FinishedShards(pathlib.Path(self._job.folder))
        if not finished.place.is_dir():
            raise InputError(
                "Needed: an output folder that all workers reach. Received: none there. Where:"
                f" {finished.place}, {socket.gethostname()}."
            )
        name = self._work.name(order.number)
        if not finished.find(name, order.source):  # by a worker that was lost a moment later
            # not beside one another: Beam may give a shard to two workers
            with tempfile.TemporaryDirectory(prefix=_ASIDE, dir=finished.place) as aside:
                self._work.write(order, pathlib.Path(aside))
                finished.take(name, pathlib.Path(aside))
        yield order.number


def _check_all_there(work: SplitShards, finished: FinishedShards, orders: list[ShardOrder]) -> None:
    names = [work.name(number) for number, source in orders]
    missing = [name for name, (_, source) in zip(names, orders) if not finished.find(name, source)]
    if missing:
        raise InputError(
            f"Needed: {len(orders)} shards that Apache Beam's workers write. Received: a pipeline"
            f" that ended, and {len(missing)} of them are not there ({missing[0]}, ...). Where:"
            f" {finished.place}, which every worker must reach."
        )
