"""The shards that earlier starts finished, and how new ones take their places.

Beside each shard lies a report of what it holds and was made of, until `dataset.json` takes all of
them in. Complete records stay as they are, and can be read, until every shard that has to be
written anew is finished in a folder beside them; then all change together.
"""

import dataclasses
import os
import pathlib
import shutil

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.listed_shards import DATASET_JSON
from kaleido_tf.files.tfrecord_files import count_records
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.records.dataset_json import ALIGNMENTS_ASIDE

_UPDATE = "update.partial"
_BEFORE = f"{DATASET_JSON}.before"
_REPORTS = "shard_reports"


@dataclasses.dataclass(frozen=True)
class Shard:
    """A finished shard. `path`: where it lies now. `report`: its `records`, `crops_kept_whole`,
    `skipped` and `source` (see `shard_sources`). `is_old`: it was part of the records before.
    """

    path: pathlib.Path
    report: dict
    is_old: bool = False


class FinishedShards:
    """Attributes: `folder`: of the records. `place`: where shards are to be written, with their
    reports beside them.

    Raises: InputError for complete records that do not say what they were made of.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.is_complete = (folder / DATASET_JSON).is_file()
        self.place = folder / _UPDATE if self.is_complete else folder
        # the second one was left by a start that was killed while it put new shards in place
        described = folder / (DATASET_JSON if self.is_complete else _BEFORE)
        self.before = read_json_object(described) if described.is_file() else {}
        if self.before and _REPORTS not in self.before:
            raise InputError(
                f"{folder} holds records of an older version, which do not say what their photos"
                " were, so that it cannot be known whether these are still the same. They can be"
                f" trained on. To write here, delete {folder / DATASET_JSON} (all shards are then"
                " written again), or use another --output_dir"
            )

    def find(self, name: str, source: str) -> Shard | None:
        """The finished shard that is to be called `name` and is made of `source`, if there is
        one.
        """
        for folder in (self.folder, self.folder / _UPDATE):
            report_path = _report_path(folder / name)
            report = read_json_object(report_path) if report_path.is_file() else {}
            if _holds(folder / name, report, source):
                return Shard(folder / name, report, report.get("is_old", False))
        return self._find_old(name, source)

    def _find_old(self, name: str, source: str) -> Shard | None:
        """The one of the same number among the records before; these may have been more or fewer
        shards.
        """
        number = name.partition("-of-")[0]
        for old, report in self.before.get(_REPORTS, {}).items():
            if old.partition("-of-")[0] == number and _holds(self.folder / old, report, source):
                return Shard(self.folder / old, report, is_old=True)
        return None

    def take(self, name: str, folder: pathlib.Path) -> None:
        """Moves a finished shard with its report from `folder` into `place`."""
        for path in (folder / name, _report_path(folder / name)):  # a report alone counts nothing
            os.replace(path, self.place / path.name)

    def put_in_place(self, shards: dict[str, Shard]) -> None:
        """Gives every shard its name in the folder. From here to `complete` the folder's records
        are none, which readers say.
        """
        moved = {name: s for name, s in shards.items() if s.path != self.folder / name}
        if self.is_complete and moved:
            os.replace(self.folder / DATASET_JSON, self.folder / _BEFORE)
            # alignments that were being made are of shards that are there no longer
            shutil.rmtree(self.folder / ALIGNMENTS_ASIDE, ignore_errors=True)
        for name, shard in moved.items():
            os.replace(shard.path, self.folder / name)
            # after the shard: one without a report that fits it is written again
            write_json(_report_path(self.folder / name), {**shard.report, "is_old": shard.is_old})

    def alignments(self, shards: dict[str, Shard]) -> dict | None:
        """What `dataset.json` is to say of alignments: as before where every shard is an old one;
        `unfinished` where some, or all, went with their shards.
        """
        before = self.before.get("alignments")
        if not before or all(shard.is_old for shard in shards.values()):
            return before
        return before if "unfinished" in before else {"unfinished": before}

    def complete(self, dataset: dict, shards: dict[str, Shard]) -> None:
        """Writes `dataset.json`, if anything is new, and removes what it replaces."""
        reports = {
            name: {key: value for key, value in shard.report.items() if key != "is_old"}
            for name, shard in shards.items()
        }
        content = {**dataset, _REPORTS: reports}
        # aside where a lost shard was written again, whose records are what they were
        is_there = (self.folder / DATASET_JSON).is_file()
        if is_there and content == self.before:
            return
        write_json(self.folder / DATASET_JSON, content)
        for name in {*shards, *self.before.get("shards", {})}:
            _report_path(self.folder / name).unlink(missing_ok=True)
            if name not in shards:
                (self.folder / name).unlink(missing_ok=True)
        (self.folder / _BEFORE).unlink(missing_ok=True)
        shutil.rmtree(self.folder / _UPDATE, ignore_errors=True)


def write_report(path: pathlib.Path, report: dict) -> None:
    """Writes the report of the shard at `path`, which is finished."""
    write_json(_report_path(path), report)


def _report_path(path: pathlib.Path) -> pathlib.Path:
    return path.with_suffix(".json")


def _holds(path: pathlib.Path, report: dict, source: str) -> bool:
    """Whether a shard is whole, and made of `source`."""
    return report.get("source") == source and count_records(path) == report.get("records")
