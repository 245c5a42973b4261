"""`source.json` of an index: which model and records it was made from, for searches that ask the
model again.
"""

import dataclasses
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json

NAME = "source.json"


@dataclasses.dataclass(frozen=True)
class IndexSource:
    """`model` and `records`: paths."""

    model: str
    records: str

    def write(self, folder: pathlib.Path) -> None:
        """Writes it into an index."""
        write_json(folder / NAME, dataclasses.asdict(self))


def read_source(folder: pathlib.Path) -> IndexSource:
    """What an index says. Raises: InputError if it says nothing."""
    path = folder / NAME
    content = read_json_object(path) if path.is_file() else {}
    try:
        return IndexSource(str(content["model"]), str(content["records"]))
    except KeyError as error:
        raise InputError(
            f"{path}: the model of the index is needed. Write the index with"
            " kaleido_tf.serving.embed, or name it with --model"
        ) from error
