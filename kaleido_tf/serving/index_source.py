"""`source.json` of an index: what it was made from, for searches that ask the model again, score
photos of the records again, or bring photos of their own.
"""

import dataclasses
import pathlib
from collections.abc import Mapping

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json
from kaleido_tf.serving.photo_patches import NetworkFiles

NAME = "source.json"


@dataclasses.dataclass(frozen=True)
class IndexSource:
    """`model`: a path; `records`: paths, as `--records` takes them; `photos`: how these were made
    from photos (see photo_patches.py); `networks`: which files were named for that.
    """

    model: str
    records: tuple[str, ...]
    photos: Mapping
    networks: NetworkFiles

    def write(self, folder: pathlib.Path) -> None:
        """Writes it into an index."""
        write_json(folder / NAME, dataclasses.asdict(self))

    def with_records(self, records: str) -> "IndexSource":
        """The same with further records, which stand last: of a photo that is in several, the last
        are meant.
        """
        before = [path for path in self.records if path != records]
        return dataclasses.replace(self, records=(*before, records))


def read_source(folder: pathlib.Path) -> IndexSource:
    """What an index says. Raises: InputError if it says nothing."""
    path = folder / NAME
    content = read_json_object(path) if path.is_file() else {}
    try:
        networks = NetworkFiles(**content["networks"])
        records = tuple(map(str, content["records"]))
        return IndexSource(str(content["model"]), records, dict(content["photos"]), networks)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: what the index was made from is needed. Write the index with"
            " kaleido_tf.serving.embed"
        ) from error
