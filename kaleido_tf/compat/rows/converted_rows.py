"""A folder of rows that `data_prep.convert_easytransfer` wrote: what its `dataset.json` says, for
writer and reader.

Rows are `tf.train.Example`s with the columns of the schema by name. If rows share images, the
columns of an image stand once, as a record of its own, and each row keeps the number of its image.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

from kaleido_tf.compat.rows.input_schema import Column, format_schema, parse_schema
from kaleido_tf.errors import InputError
from kaleido_tf.files.json_files import read_json_object
from kaleido_tf.files.listed_shards import DATASET_JSON, present_shards

FORMAT = "easytransfer_rows_1"

SETTINGS_NAME = "settings.json"

IMAGE_NUMBER = Column("image_number", "int", 1)
"""The column that rows have in the place of their image's columns: a number among the image
records.
"""


def is_image_column(column: Column) -> bool:
    """Whether a column tells about the image alone: its features, boxes and mask.

    The weights of masked tokens belong to the text, and the grey targets to the patches that were
    drawn for the row.
    """
    features = column.kind in ("float", "base64") and column.length > 1
    if features:
        return not column.name.startswith("masked_lm_") and column.name != "img_grey_mask_gt"
    return column.name.startswith("img_loc_position_") or column.name == "image_mask"


def is_float_vector(column: Column) -> bool:
    """Whether a column is stored as float16 if that is asked for; base64 vectors are floats once
    decoded.
    """
    return column.kind in ("float", "base64") and column.length > 1


def stored_columns(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns as they stand in records: base64 vectors as floats."""
    return tuple(
        dataclasses.replace(column, kind="float") if is_float_vector(column) else column
        for column in columns
    )


@dataclasses.dataclass(frozen=True)
class ConvertedRows:
    """What the reader needs of a `dataset.json`.

    Attributes:
      columns: of the schema the rows were converted with. float_type: float32 or float16.
      listed_count: what the list file of the bundle said, or None.
      row_shards, image_shards: rows and image records of each file, in order; no image shards if
        images are in the rows.
    """

    folder: pathlib.Path
    columns: tuple[Column, ...]
    float_type: str
    row_shards: dict[str, int]
    image_shards: dict[str, int]
    listed_count: int | None

    def files(self, shards: dict[str, int]) -> list[str]:
        """The paths of some shards. Raises: InputError if one is missing or
        empty.
        """
        return present_shards(self.folder, shards)

    def check_schema(self, schema: tuple[Column, ...]) -> None:
        """Raises InputError unless every column of `schema` is here; others may be left out, and
        the order is free.
        """
        kept = {column.name: column for column in self.columns}
        for column in schema:
            there = kept.get(column.name)
            if there is None or (there.kind, there.values) != (column.kind, column.values):
                absent = f"no such column, only {', '.join(kept)}"
                raise InputError(
                    f"--input_schema asks {self.folder} for {format_schema((column,))}. Received: "
                    f"{format_schema((there,)) if there else absent}"
                )


def find_converted(pattern: str) -> ConvertedRows | None:
    """The converted folder that `pattern` names, or None if it is anything else.

    Raises: InputError for a conversion that was not finished, or a `dataset.json` that lacks
      something.
    """
    folder = pathlib.Path(pattern)
    if (folder / DATASET_JSON).is_file():
        content = read_json_object(folder / DATASET_JSON)
        if content.get("format") != FORMAT:
            return None
        try:
            columns, shards = (
                parse_schema(content["input_schema"]),
                (content["row_shards"], content["image_shards"]),
            )
            return ConvertedRows(
                folder,
                columns,
                content["float_type"],
                *map(dict, shards),
                content.get("listed_count"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{folder / DATASET_JSON} must be as data_prep.convert_easytransfer wrote it:"
                f" {error}"
            ) from error
    if (folder / SETTINGS_NAME).is_file() and read_json_object(folder / SETTINGS_NAME).get(
        "format"
    ) == FORMAT:
        raise InputError(
            f"Converted rows need their {DATASET_JSON}. {folder} has none: start its conversion"
            " again"
        )
    return None
