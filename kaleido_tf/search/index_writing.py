"""Writes a fresh index block by block, so that a catalogue of millions never stands in memory.

D = size of a vector. A writing that was killed goes on after the last whole block; the manifest
comes last.
"""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator

from kaleido_tf.errors import InputError
from kaleido_tf.files.claimed_folders import SETTINGS_NAME, claim_settings
from kaleido_tf.files.input_files import visible_files
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.search.block import Block, check_block, item_lines
from kaleido_tf.search.growing_files import GrowingArray, GrowingLines
from kaleido_tf.search.manifest import (
    DTYPES,
    MANIFEST,
    WRITING,
    Manifest,
    Segment,
    check_sizes,
    publish,
    read_manifest,
)


@dataclasses.dataclass(frozen=True)
class IndexSettings:
    """What is settled before a first block: `model`, digest of what makes the vectors; `dimension`
    D; `dtype` on the disk; `corrected_for_hubs`, whether blocks come with hubness.
    """

    model: str
    dimension: int
    dtype: str = "float16"
    corrected_for_hubs: bool = False

    def __post_init__(self):
        if self.dtype not in DTYPES or self.dimension < 1:
            raise InputError(
                f"An index needs a dimension of 1 or more and numbers of {' or '.join(DTYPES)}."
                f" Received: {self.dimension}, {self.dtype}"
            )


def write_index(
    folder: str | os.PathLike,
    parts: Callable[[int], Iterable[Block]],
    settings: IndexSettings,
    digest: str,
    flag: str = "--output_dir",
) -> Manifest:
    """Writes an index, or goes on with one that was begun; one that is finished stays as it is.

    Args: parts: number of photos that are there already -> blocks of those after them, the same at
      every start. digest: of the inputs; a folder that was begun with another is refused. flag:
      that named the folder, for messages.
    Raises: InputError for a folder that holds something else or is being changed, for a block that
      `check_block` refuses, and if there is no photo at all.
    """
    folder = pathlib.Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{flag} cannot be made: {folder} ({error})") from error
    with changing(folder):
        _claim(folder, settings, digest, flag)
        if (folder / MANIFEST).is_file():
            return _finished(folder, flag)
        progress = folder / WRITING
        done = read_json_object(progress) if progress.is_file() else {}
        with SegmentWriter(folder, None, settings, done) as writer:
            for block in parts(writer.rows):
                writer.append(block)
                write_json(progress, writer.progress())
        if not writer.rows:
            raise InputError(f"An index needs at least one photo. Received none for {folder}")
        manifest = Manifest(
            **dataclasses.asdict(settings),
            **{"count": writer.rows, "deleted": 0, "generation": 1, "calibration": None},
            fields=tuple(sorted(writer.fields)),
            segments=(writer.segment(),),
        )
        publish(folder, manifest)
        return manifest


def _claim(folder: pathlib.Path, settings: IndexSettings, digest: str, flag: str) -> None:
    names = {os.path.basename(file) for file in visible_files(folder, "")}
    begun = names & {MANIFEST, WRITING}
    if names and SETTINGS_NAME not in names:
        raise InputError(
            f"{folder} holds files of unknown origin ({sorted(names)[0]}, ...). Use another {flag}"
        )
    content = {"index": True, **dataclasses.asdict(settings), "inputs": digest}
    if not begun and names and read_json_object(folder / SETTINGS_NAME).get("index") is True:
        (folder / SETTINGS_NAME).unlink()  # of a start that came to nothing
    claim_settings(folder, content, "something else, or an index of other inputs", flag)


def _finished(folder: pathlib.Path, flag: str) -> Manifest:
    manifest = read_manifest(folder)
    check_sizes(folder, manifest.segments)
    if manifest.generation > 1:
        raise InputError(
            f"{folder} was changed since it was written (generation {manifest.generation}). Add and"
            f" delete products there, or use another {flag}"
        )
    return manifest


@contextlib.contextmanager
def changing(folder: pathlib.Path) -> Iterator[None]:
    """Keeps other processes from changing an index meanwhile. Raises: InputError if one does."""
    if not folder.is_dir():
        raise InputError(f"An index (a folder with {MANIFEST}) is needed. Received: {folder}")
    number = os.open(folder, os.O_RDONLY)
    try:
        _lock(number, folder)
        yield
    finally:
        os.close(number)  # which gives the lock back, as the end of a process does


def _lock(number: int, folder: pathlib.Path) -> None:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"{folder} is being changed by another process. Start again when it has finished"
        ) from error


class SegmentWriter:
    """The files of one segment, written block by block; a context manager.

    Args: name: begins the names of its files; None for those of a fresh index. done: what
      `progress` said of the part that is there.
    Attributes: `rows` written; `fields`, names of the items' fields.
    """

    def __init__(self, folder: pathlib.Path, name: str | None, settings, done: dict | None = None):
        done = done or {}
        self._folder, self._settings = folder, settings
        self.rows, self.fields = done.get("rows", 0), set(done.get("fields", ()))
        self._names = {
            "vectors": f"{name}.npy" if name else "embeddings.npy",
            "items": f"{name}.jsonl" if name else "items.jsonl",
        }
        rest, dtype = (settings.dimension,), settings.dtype
        path = folder / self._names["vectors"]
        self._vectors = GrowingArray(path, rest, dtype, self.rows)
        self._items = GrowingLines(folder / self._names["items"], done.get("items_bytes", 0))
        self._files = [self._vectors, self._items]
        if settings.corrected_for_hubs:
            self._names["hubness"] = f"{name}.hubness.npy" if name else "hubness.npy"
            path = folder / self._names["hubness"]
            self._hubness = GrowingArray(path, (), "float32", self.rows)
            self._files.append(self._hubness)

    def append(self, block: Block) -> None:
        """Raises: InputError as `check_block`; nothing of the block is written then."""
        corrected = self._settings.corrected_for_hubs
        check_block(block, self._settings.dimension, corrected)
        self.append_lines(item_lines(block), block.vectors, block.hubness)
        self.fields.update(*block.fields)

    def append_lines(self, lines: list[bytes], vectors, hubness) -> None:
        """A block that was checked before; its items as lines."""
        self._items.append(lines)
        self._vectors.append(vectors)
        if hubness is not None:
            self._hubness.append(hubness)
        self.rows += len(lines)

    def progress(self) -> dict:
        """What to go on from, once all that was written is on the disk."""
        for file in self._files:
            file.sync()
        fields = sorted(self.fields)
        return {"rows": self.rows, "items_bytes": self._items.bytes, "fields": fields}

    def segment(self) -> Segment:
        """The files, after they were closed."""
        sizes = {name: (self._folder / name).stat().st_size for name in self._names.values()}
        return Segment(**{"hubness": None, **self._names}, count=self.rows, sizes=sizes)

    def remove(self) -> None:
        """Takes the files away."""
        for name in self._names.values():
            (self._folder / name).unlink(missing_ok=True)

    def __enter__(self) -> "SegmentWriter":
        return self

    def __exit__(self, *_) -> None:
        for file in self._files:
            file.close()
