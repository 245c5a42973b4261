"""`manifest.json` of an index: what it is and which files it consists of. It is replaced as a
whole, last, so that a change of an index happens in one moment or not at all.
"""

import dataclasses
import pathlib
import re

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json

MANIFEST = "manifest.json"
WRITING = "writing.json"
"""How far a first writing is; gone when it is finished."""
VERSION = 1
METRIC = "cosine"
DTYPES = ("float16", "float32")
_OWN_FILES = re.compile(
    r"(?:(?:embeddings|hubness|(?:segment|deleted)-\d+(?:\.hubness)?)\.npy"
    r"|(?:items|segment-\d+)\.jsonl|writing\.json)(?:\.partial)?|manifest\.json\.partial"
)
"""Names that only an index gives."""


@dataclasses.dataclass(frozen=True)
class Segment:
    """Photos that were written together: how many, the names of their files (`hubness` None where
    the index is not corrected), and the size of each file in bytes.
    """

    count: int
    vectors: str
    items: str
    hubness: str | None
    sizes: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What an index is.

    `model` digest of what made the vectors; `dimension`, `dtype` of a vector; `count` photos
    stored, `deleted` of them gone; `generation` counts its changes, from 1; `corrected_for_hubs`;
    `fields`, names of the items' fields; `calibration`, see calibration.py; `segments`;
    `tombstones`, the file of the rows that are gone.
    """

    model: str
    dimension: int
    dtype: str
    count: int
    deleted: int
    generation: int
    corrected_for_hubs: bool
    fields: tuple[str, ...]
    calibration: dict | None
    segments: tuple[Segment, ...]
    tombstones: str | None = None

    @property
    def files(self) -> set[str]:
        """Names of all files that it lists."""
        listed = {name for segment in self.segments for name in segment.sizes}
        return listed | ({self.tombstones} if self.tombstones else set())


def read_manifest(folder: pathlib.Path) -> Manifest:
    """Raises: InputError if `folder` holds no index, a half-written one, or one of another version,
    and says what to do.
    """
    path = folder / MANIFEST
    if not path.is_file():
        if (folder / WRITING).is_file():
            raise InputError(
                f"The index {folder} is not finished. Start the command that wrote it again: it"
                " goes on where it stopped"
            )
        raise InputError(f"An index (a folder with {MANIFEST}) is needed. Received: {folder}")
    content = read_json_object(path)
    if content.get("version") != VERSION or content.get("metric") != METRIC:
        raise InputError(
            f"{path}: needed version {VERSION} with metric {METRIC}. Received: version"
            f" {content.get('version')!r} with metric {content.get('metric')!r}. Write the index"
            " anew"
        )
    try:
        return _parsed(content)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is broken ({error!r}). Write the index anew") from error


def _parsed(content: dict) -> Manifest:
    values = {
        field.name: content[field.name]
        for field in dataclasses.fields(Manifest)
        if field.name != "tombstones"
    }
    segments = tuple(Segment(**segment) for segment in values["segments"])
    manifest = Manifest(
        **{**values, "segments": segments, "fields": tuple(values["fields"])},
        tombstones=content.get("tombstones"),
    )
    for segment in segments:
        names = {segment.vectors, segment.items, segment.hubness} - {None}
        if names != set(segment.sizes) or not all(map(_OWN_FILES.fullmatch, names)):
            raise ValueError(f"files {sorted(names)}")
    if manifest.dtype not in DTYPES or sum(s.count for s in segments) != manifest.count:
        raise ValueError(f"dtype {manifest.dtype}, count {manifest.count}")
    return manifest


def publish(folder: pathlib.Path, manifest: Manifest) -> None:
    """Makes `manifest` that of the index, and removes the files of an index that it does not list:
    those that it replaces, and what a killed change left.
    """
    content = {"version": VERSION, "metric": METRIC, **dataclasses.asdict(manifest)}
    write_json(folder / MANIFEST, content)
    remove_unlisted(folder, manifest)


def remove_unlisted(folder: pathlib.Path, manifest: Manifest) -> None:
    """Removes what only an index can have left; other files stay."""
    for path in folder.iterdir():
        if _OWN_FILES.fullmatch(path.name) and path.name not in manifest.files:
            path.unlink()


def check_sizes(folder: pathlib.Path, segments: tuple[Segment, ...]) -> None:
    """Raises: InputError naming the first file that is missing or of another size."""
    for name, size in (entry for segment in segments for entry in segment.sizes.items()):
        path = folder / name
        there = path.stat().st_size if path.is_file() else None
        if there != size:
            found = "nothing" if there is None else f"{there} bytes"
            raise InputError(
                f"{path}: needed {size} bytes, as {MANIFEST} says. Received: {found}. Copy the"
                " index again, or remove the folder and write it anew"
            )
