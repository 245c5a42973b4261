"""`outfits.json` beside a model that completes outfits: what its vectors are, and the categories
that it knows.
"""

import dataclasses
import pathlib

from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.whole_files import write_json

NAME = "outfits.json"


@dataclasses.dataclass(frozen=True)
class OutfitDescription:
    """Args: categories: names, in the model's order. vector_size, subspaces: as `OutfitModel`."""

    categories: tuple[str, ...]
    vector_size: int
    subspaces: int

    def write(self, folder: pathlib.Path) -> None:
        """Writes it into `folder`."""
        content = {**dataclasses.asdict(self), "categories": list(self.categories)}
        write_json(folder / NAME, content)


def read_outfit_description(folder: str | pathlib.Path) -> OutfitDescription | None:
    """The description in a model's folder; None if there is none. Raises: InputError for a broken
    one.
    """
    path = pathlib.Path(folder) / NAME
    if not path.is_file():
        return None
    content = read_json_object(path)
    names, sizes = content.get("categories"), [content.get(n) for n in ("vector_size", "subspaces")]
    known = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
    if not known or not all(type(size) is int and size > 0 for size in sizes):
        raise InputError(
            f"{path}: `categories`, a list of names, and whole numbers `vector_size` and"
            f" `subspaces` are needed. Received: {str(content)[:80]}"
        )
    return OutfitDescription(tuple(names), *sizes)
